/**
 * `npm run bench:growth`: whether Docket stays as fast when the table grows, on this machine, now.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { heedSignals, runCommand, stopped, Usage, wholeNumber } from '../command.ts'
import { commandsUntil } from '../commands.ts'
import type { Plan } from './measure.ts'
import { between, figuresOf, markdown } from './report.ts'

const usage = `Usage: npm run bench:growth -- [options]

Starts a Postgres of its own, fills one database for each size of the table, starts \`docket start\` in front of each
as users do, and lets them take turns: list, get and create for owners of 100 tasks and for one of 10,000, by one client
and by eight. It shows latency, its ratio to the smallest table (goal: 1.3), pages read, plans, round trips to the
database, how long a start takes and memory after the load.

  --tasks L      comma list of sizes, in hundreds from 10,000 (10000,100000,1000000)
                 10,000,000 want 15 GB of free disk and --minutes 15
  --minutes N    stop starting rounds after that; what would take too long to fill is left out and named (8)
  --rounds N     measurements of each size, operation and number of clients (5)
  --seconds N    length of one measurement (1)
  --json         JSON on standard output, as when it is no terminal
  --write        also put the figures into bench/growth/README.md
  --help         this text

Progress goes to standard error. All defaults: about 6 minutes.
`

const options = {
  tasks: { type: 'string', default: '10000,100000,1000000' },
  minutes: { type: 'string', default: '8' },
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const page = join(import.meta.dirname, 'README.md')

function readPlan(values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values']): Plan {
  const tasks = values.tasks.split(',').map((text) => {
    if (!/^[1-9]\d{2,5}00$/.test(text))
      throw new Usage(`--tasks takes hundreds from 10000 to 10000000, not "${text}".`)
    return Number(text)
  })
  return {
    tasks: [...new Set(tasks)].sort((a, b) => a - b),
    minutes: wholeNumber('minutes', values.minutes),
    rounds: wholeNumber('rounds', values.rounds),
    seconds: wholeNumber('seconds', values.seconds),
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const plan = readPlan(values)
  const { measure } = await import('./measure.ts')
  heedSignals()
  const oldPage = await readFile(page, 'utf8')
  const report = await measure(commandsUntil(stopped), plan, (step) => process.stderr.write(`${step}\n`))
  const json = values.json || !process.stdout.isTTY
  const whole = { ...report, figures: figuresOf(report.cells) }
  process.stdout.write(json ? `${JSON.stringify(whole, null, 2)}\n` : `\n${markdown(report)}\n`)
  if (values.write) await writeFile(page, between(oldPage, markdown(report)))
  return 0
}

await runCommand(usage, main)
