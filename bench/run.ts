/**
 * `npm run bench`: how fast Docket is next to the database alone and to its peers, on this machine, now.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { variables } from '../src/config/variables.ts'
import { heedSignals, runCommand, stopped, Usage, wholeNumber } from './command.ts'
import { commandsUntil } from './commands.ts'
import { operations } from './contender.ts'
import type { Plan } from './measure.ts'
import { peerNames } from './peer.ts'
import { between, markdown, tables } from './report.ts'

const usage = `Usage: npm run bench -- [options]

Starts a Postgres of its own, fills it with 1,000 owners × 100 tasks, starts \`docket start\` as users do, and measures
lists of 20 and of 100 tasks, get, patch and create over HTTP with wrk. Docket takes turns with pgbench running the same
statements and with its peers: the same API written with other frameworks (bench/peers). A peer is installed when it is
met for the first time, from package registries, into .bench; what cannot be had is left out, and the report says so.
Needs wrk. Everything listens on 127.0.0.1 only.

  --seconds N       length of one measurement (4)
  --rounds N        measurements of each contender and operation (3)
  --connections N   HTTP connections (32)
  --operations L    comma list of ${operations.join(', ')} (all)
  --peers L         comma list of ${peerNames.join(', ')} (all)
  --no-peers        Docket and pgbench alone
  --database-connections L
                    comma list of values of DATABASE_CONNECTIONS; each is a contender (the default of the product)
  --against FOLDER  another checkout of Docket, measured in the same run
  --no-pgbench      leave pgbench out; shares are then of the first Docket
  --profile FOLDER  write a CPU profile of each Docket there, for the Chrome DevTools
  --json            JSON on standard output, as when it is no terminal
  --write           also put the figures into bench/README.md and draw bench/comparison.svg
  --soak MINUTES    instead of all that: mixed load on one Docket for so long, and what becomes of its memory, its
                    descriptors and its database connections (heed --connections, --json, --write; 10 is a good time)
  --help            this text

Progress goes to standard error. All defaults: about 13 minutes, and 3 more to install the peers; --no-peers: 4.

Examples:
  npm run bench -- --peers hono-drizzle,fastapi --operations get
  npm run bench -- --no-peers --no-pgbench --operations get --rounds 12 --against ../before
`

const options = {
  seconds: { type: 'string', default: '4' },
  rounds: { type: 'string', default: '3' },
  connections: { type: 'string', default: '32' },
  operations: { type: 'string', default: operations.join(',') },
  peers: { type: 'string', default: peerNames.join(',') },
  'no-peers': { type: 'boolean', default: false },
  'database-connections': { type: 'string', default: variables.connections.default },
  against: { type: 'string' },
  'no-pgbench': { type: 'boolean', default: false },
  profile: { type: 'string' },
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  soak: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

const page = join(import.meta.dirname, 'README.md')
const chart = join(import.meta.dirname, 'comparison.svg')

function readPlan(values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values']): Plan {
  const chosen = listed('operation', values.operations, operations)
  return {
    seconds: wholeNumber('seconds', values.seconds),
    rounds: wholeNumber('rounds', values.rounds),
    connections: wholeNumber('connections', values.connections),
    databaseConnections: values['database-connections']
      .split(',')
      .map((count) => wholeNumber('database-connections', count)),
    operations: operations.filter((operation) => chosen.includes(operation)),
    pgbench: !values['no-pgbench'],
    peers: values['no-peers'] ? [] : listed('peer', values.peers, peerNames),
    against: values.against && resolve(values.against),
    profileFolder: values.profile && resolve(values.profile),
  }
}

function listed(what: string, text: string, known: readonly string[]): string[] {
  const names = text.split(',')
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new Usage(`There is no ${what} "${unknown}"; there are ${known.join(', ')}.`)
  return names
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const plan = readPlan(values)
  const minutes = values.soak === undefined ? undefined : wholeNumber('soak', values.soak)
  const commands = commandsUntil(stopped)
  const tell = (step: string) => process.stderr.write(`${step}\n`)
  const print = (result: object, text: string) => {
    const json = values.json || !process.stdout.isTTY
    process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : `\n${text}\n`)
  }
  const write = async (text: string, marker: string) => {
    if (values.write) await writeFile(page, between(await readFile(page, 'utf8'), text, marker))
  }
  if (minutes !== undefined) {
    const { soak, soakMarkdown } = await import('./soak.ts')
    heedSignals()
    const result = await soak(commands, { ...plan, minutes, tell })
    print(result, soakMarkdown(result))
    await write(soakMarkdown(result), 'soak')
    return 0
  }
  const { measure } = await import('./measure.ts')
  heedSignals()
  const report = await measure(commands, plan, tell)
  print(report, tables(report))
  await write(markdown(report), 'bench')
  if (values.write) {
    const { comparison } = await import('./chart.ts')
    await writeFile(chart, comparison(report))
  }
  return 0
}

await runCommand(usage, main)
