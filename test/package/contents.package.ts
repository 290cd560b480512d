import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { z } from 'zod'
import { cleanUp, newFolder, root, run } from '../support/process.ts'

let files: string[]
let unpacked: string
beforeAll(async () => {
  unpacked = await newFolder()
  await succeed('tar', ['-xzf', inject('tarball'), '-C', unpacked, '--strip-components=1'])
  const entries = await readdir(unpacked, { recursive: true, withFileTypes: true })
  files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(unpacked.length + 1))
})
afterAll(cleanUp)

async function succeed(command: string, args: readonly string[]): Promise<string> {
  const folder = join(await newFolder(), 'here')
  await mkdir(folder)
  const running = run(command, args, { folder })
  const { code } = await running.ended
  expect(`${code} ${code === 0 ? '' : running.stdout() + running.stderr()}`).toBe('0 ')
  return running.stdout()
}

const tool = (name: string) => join(root, 'node_modules/.bin', name)

test('publint finds no fault', async () => {
  await succeed(tool('publint'), ['run', '--strict', inject('tarball')])
})

test('the types of every entrance resolve for an importer', async () => {
  await succeed(tool('attw'), ['--profile', 'esm-only', inject('tarball')])
})

test('it holds the built code, the migrations and the docs page, and neither source nor tests', () => {
  expect(new Set(files.map((file) => file.split('/')[0]))).toEqual(
    new Set(['LICENSE', 'README.md', 'bin', 'dist', 'migrations', 'openapi.json', 'package.json', 'vendor']),
  )
  expect(files).toContain('migrations/0001_tasks.sql')
  expect(files).toContain('vendor/scalar/standalone.js')
  expect(files.filter((file) => /\.ts$/.test(file) && !/\.d\.ts$/.test(file))).toEqual([])
})

test('an install of it runs no script and brings no Node', async () => {
  const Manifest = z.looseObject({
    dependencies: z.record(z.string(), z.string()),
    scripts: z.record(z.string(), z.string()),
  })
  const { dependencies, scripts } = Manifest.parse(
    JSON.parse(await readFile(join(unpacked, 'package.json'), 'utf8')),
  )
  expect(Object.keys(dependencies)).not.toContain('node')
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([])
  const Lock = z.looseObject({
    packages: z.record(
      z.string(),
      z.looseObject({ hasInstallScript: z.boolean().optional(), dev: z.boolean().optional() }),
    ),
  })
  const { packages } = Lock.parse(JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')))
  const withScripts = Object.entries(packages).filter(([, one]) => one.hasInstallScript && !one.dev)
  expect(withScripts.map(([name]) => name).filter((name) => name !== '')).toEqual([])
})

test('its declarations name nothing but themselves, Node and Drizzle', async () => {
  const named = new Set<string>()
  for (const file of files.filter((one) => one.endsWith('.d.ts'))) {
    const text = await readFile(join(unpacked, file), 'utf8')
    for (const [, name = ''] of text.matchAll(/(?:from |import\()['"]([^'"]+)['"]/g)) named.add(name)
  }
  expect([...named].filter((name) => !/^(\.{1,2}\/.+\.js|node:.+|drizzle-orm\/.+)$/.test(name))).toEqual([])
})

test('it holds no path of the machine that built it', async () => {
  for (const file of files) expect(await readFile(join(unpacked, file), 'utf8')).not.toContain(root)
  const { size } = await stat(inject('tarball'))
  console.log(`The package is ${(size / 1e6).toFixed(1)} MB, of ${files.length} files.`)
})
