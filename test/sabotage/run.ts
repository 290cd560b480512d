/**
 * Applies each sabotage to a copy of the project and runs the tests that have to notice it.
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { type Sabotage, sabotages } from './sabotages.ts'

const usage = `Usage: npm run sabotage -- [--only TEXT] [--list] [--help]

Breaks one line at a time in a copy of the project and runs the tests that have to notice.
Every break must be caught; one that survives is a guarantee without a test. Exit code 1 if any survives.

  --only TEXT  those whose name holds TEXT
  --list       name them and the tests that catch them, run nothing`

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

const { values } = parseArgs({
  options: { only: { type: 'string' }, list: { type: 'boolean' }, help: { type: 'boolean' } },
})
const chosen = sabotages.filter(({ name }) => name.includes(values.only ?? ''))

if (values.help) console.log(usage)
else if (values.list)
  for (const { name, file, caughtBy } of chosen)
    console.log(`${name}\n    ${file}, caught by ${caughtBy.slice(2).join(', ')}`)
else process.exitCode = await runAll()

async function runAll(): Promise<number> {
  const copy = await copyProject()
  const survived: string[] = []
  try {
    if (!(await passes(copy, everyTestNamed()))) {
      console.error('The tests fail without any sabotage: mend that first.')
      return 1
    }
    for (const [i, sabotage] of chosen.entries()) {
      process.stdout.write(`${String(i + 1).padStart(2)}/${chosen.length} ${sabotage.name} ... `)
      const caught = await isCaught(copy, sabotage)
      process.stdout.write(caught ? 'caught\n' : 'SURVIVED\n')
      if (!caught) survived.push(sabotage.name)
    }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
  console.log(`${chosen.length - survived.length} caught, ${survived.length} survived`)
  return survived.length === 0 ? 0 : 1
}

async function copyProject(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'docket-sabotage-'))
  const { stdout } = await run('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root })
  for (const file of stdout.split('\n').filter(Boolean))
    await cp(join(root, file), join(copy, file), { recursive: true }).catch(() => undefined)
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

function everyTestNamed(): string[] {
  return [...new Set(chosen.flatMap(({ caughtBy }) => caughtBy.slice(2)))]
}

async function isCaught(copy: string, { file, find, replace, caughtBy }: Sabotage): Promise<boolean> {
  const path = join(copy, file)
  const whole = await readFile(path, 'utf8')
  await writeFile(
    path,
    whole.replace(find, () => replace),
  )
  try {
    return !(await passes(copy, caughtBy))
  } finally {
    await writeFile(path, whole)
  }
}

async function passes(copy: string, args: readonly string[]): Promise<boolean> {
  const bin = dirname(process.execPath)
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  try {
    await run(process.execPath, [vitest, 'run', '--bail=1', ...args], {
      cwd: copy,
      env,
      maxBuffer: 2 ** 26,
      timeout: 300_000,
    })
    return true
  } catch {
    return false
  }
}
