/**
 * `npm run check`: what must hold before a commit, and exactly what CI runs. Tests are `npm test`.
 */
import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'

const usage = `Usage: node scripts/check.ts [step…]

Runs every step below, or only the named ones, shows the output of those that fail, and exits 1 if any did.
A failing step does not keep the next from running.

`

type Step = { readonly name: string; readonly proves: string; readonly command: readonly string[] }

const steps: readonly Step[] = [
  { name: 'types', proves: 'the source has no type errors', command: ['tsc'] },
  {
    name: 'lint',
    proves: 'lint rules and formatting hold',
    command: ['biome', 'check', '--error-on-warnings', '.'],
  },
  {
    name: 'openapi',
    proves: 'openapi.json is a sound document',
    command: ['redocly', 'lint', 'openapi.json'],
  },
  {
    name: 'generated',
    proves: 'generated files follow from the source',
    command: ['node', 'scripts/generate.ts', '--check'],
  },
  {
    name: 'vendored',
    proves: 'vendored files have their recorded checksums',
    command: ['node', 'scripts/vendor-scalar.ts', '--check'],
  },
]

const root = join(import.meta.dirname, '..')
const onTerminal = process.stdout.isTTY

const environment = {
  ...process.env,
  // So that the pinned tools and the pinned Node are found however this script was started.
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  ...(onTerminal && !process.env.NO_COLOR && { FORCE_COLOR: '1' }),
}

/** Runs a command to its end. `output` is all it wrote, in the order it wrote it. */
function run([program = '', ...parameters]: readonly string[]): Promise<{ passed: boolean; output: string }> {
  const { promise, resolve } = Promise.withResolvers<{ passed: boolean; output: string }>()
  const child = spawn(program, parameters, { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.on('error', (error) =>
    resolve({ passed: false, output: `${program} did not start: ${error.message}` }),
  )
  child.on('close', (code) => resolve({ passed: code === 0, output: Buffer.concat(chunks).toString() }))
  return promise
}

async function check(chosen: readonly Step[]): Promise<number> {
  let failed = 0
  for (const { name, proves, command } of chosen) {
    if (onTerminal) process.stdout.write(`… ${name}: ${proves}`)
    const { passed, output } = await run(command)
    // Erases the line in progress (ECMA-48 EL) so that the result takes its place.
    process.stdout.write(`${onTerminal ? '\r\u001B[2K' : ''}${passed ? '✓' : '✗'} ${name}: ${proves}\n`)
    if (passed) continue
    failed += 1
    console.log(output.trimEnd().replace(/^(?=.)/gm, '    '))
  }
  console.log(failed === 0 ? 'All checks passed.' : `${failed} of ${chosen.length} checks failed.`)
  return failed === 0 ? 0 : 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean' } },
  })
  const unknown = positionals.find((name) => !steps.some((step) => step.name === name))
  const text = usage + steps.map(({ name, proves }) => `  ${name.padEnd(10)} ${proves}`).join('\n')
  if (values.help || unknown !== undefined) {
    console.log(unknown === undefined ? text : `There is no step ${unknown}.\n\n${text}`)
    return unknown === undefined ? 0 : 2
  }
  return check(steps.filter(({ name }) => positionals.length === 0 || positionals.includes(name)))
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 2
})
