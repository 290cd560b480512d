/**
 * `npm run build`: makes `dist/`, the JavaScript and the declarations that the package ships, file by file.
 */
import { execFileSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { migrationFiles } from '../src/database/setup/migration-files.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const Manifest = z.object({
  exports: z.record(z.string(), z.union([z.string(), z.object({ types: z.string() })])),
})

async function build(): Promise<void> {
  await rm(dist, { recursive: true, force: true })
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  })
  // `src` and `dist` are as deep, so that paths to other folders hold in both.
  const whole = join(dist, '.whole')
  for (const entry of globSync('*', { cwd: join(whole, 'src') }))
    await rename(join(whole, 'src', entry), join(dist, entry))
  await rm(whole, { recursive: true })
  await straightenMaps()
  await inlineMigrations()
  await keepDeclarations(await entrances())
}

/** The maps were made for files two folders deeper. */
async function straightenMaps(): Promise<void> {
  for (const map of globSync('**/*.map', { cwd: dist })) {
    const text = await readFile(join(dist, map), 'utf8')
    await writeFile(join(dist, map), text.replace('"sources":["../../', '"sources":["'))
  }
}

/** A bundler follows imports, not folders: the text of the migrations goes into the module that reads their folder. */
async function inlineMigrations(): Promise<void> {
  const [module, ...others] = globSync('**/migration-files.js', { cwd: dist })
  if (module === undefined || others.length > 0) throw new Error('There is not one migration-files.js')
  const files = JSON.stringify(await migrationFiles(), null, 2)
  const text = `/** The text of migrations/, put here by the build. */\nconst files = ${files};\nexport async function migrationFiles() {\n    return files;\n}\n`
  await writeFile(join(dist, module), text)
  await rm(join(dist, `${module}.map`))
}

/** The declarations of the entrances of the package. */
async function entrances(): Promise<string[]> {
  const manifest = Manifest.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')))
  return Object.values(manifest.exports).flatMap((entrance) =>
    typeof entrance === 'string' ? [] : [join(root, entrance.types)],
  )
}

/** Keeps the declarations that the entrances lead to, so that a reader sees what is public and no more. */
async function keepDeclarations(first: readonly string[]): Promise<void> {
  const kept = new Set<string>()
  const keep = async (path: string): Promise<void> => {
    if (kept.has(path)) return
    kept.add(path)
    const text = await readFile(path, 'utf8')
    // The compiler rewrites the extension of imports in JavaScript, and not here.
    const rewritten = text.replaceAll(/(['"])(\.{1,2}\/[^'"\n]+)\.ts\1/g, '$1$2.js$1')
    await writeFile(path, rewritten)
    for (const [, target = ''] of rewritten.matchAll(/['"](\.{1,2}\/[^'"\n]+)\.js['"]/g))
      await keep(`${join(dirname(path), target)}.d.ts`)
  }
  for (const path of first) await keep(path)
  for (const path of globSync('**/*.d.ts', { cwd: dist }).map((one) => join(dist, one)))
    if (!kept.has(path)) await rm(path)
}

await build()
