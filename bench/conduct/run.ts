/**
 * `npm run bench:conduct`: what callers see when there is too much to do, when one of them asks for much, and when
 * one process takes over from another.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { heedSignals, runCommand, stopped, Usage, wholeNumber } from '../command.ts'
import { machine } from '../prepare-site.ts'
import { between } from '../report.ts'
import { distance, fairness } from './fairness.ts'
import { handOver } from './hand-over.ts'
import { junk } from './junk.ts'
import { overload } from './overload.ts'
import { silent } from './silent.ts'
import { openStage, type Stage, type Table } from './stage.ts'

const usage = `Usage: npm run bench:conduct -- [what ...] [options]

Starts a Postgres of its own, fills it, starts \`docket start\` as users do, and puts it under load:

  overload    three times as many requests as can be answered
  fairness    others beside one owner's long lists and lock waits
  distance    a database 10 ms away
  silent      clients that ask and never read
  hand-over   new processes take over from old ones
  junk        floods without a token: how much log, and who still gets in

Without a name: all of them, about 13 minutes.

  --seconds N     length of the overload (30)
  --hand-overs N  how many of each kind (20)
  --migrate-requests
                  hand over once more with the kernel setting net.ipv4.tcp_migrate_req=1, and put it back (root)
  --write         also put the tables into bench/conduct/README.md
  --help          this text

Progress goes to standard error, tables in Markdown to standard output.
`

const page = join(import.meta.dirname, 'README.md')

type Options = { seconds: number; handOvers: number; migrateRequests: boolean }
const parts: Record<string, (stage: Stage, options: Options) => Promise<Table>> = {
  overload: (stage, { seconds }) => overload(stage, seconds),
  fairness,
  distance,
  silent,
  'hand-over': handOver,
  junk,
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '30' },
      'hand-overs': { type: 'string', default: '20' },
      'migrate-requests': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const names = positionals.length > 0 ? positionals : Object.keys(parts)
  const chosen = names.map((name) => {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (part === undefined) throw new Usage(`There is no part "${name}".`)
    return part
  })
  const plan = {
    seconds: wholeNumber('seconds', values.seconds),
    handOvers: wholeNumber('hand-overs', values['hand-overs']),
    migrateRequests: values['migrate-requests'],
  }
  heedSignals()
  await using opened = new AsyncDisposableStack()
  const tell = (step: string) => process.stderr.write(`${step}\n`)
  const stage = await openStage(opened, stopped, tell)
  process.stdout.write(`${machine()}, Node ${process.version.slice(1)}\n`)
  const tables: string[] = []
  for (const part of chosen) {
    const table = markdown(await part(stage, plan))
    tables.push(table)
    process.stdout.write(`\n${table}\n`)
  }
  if (values.write) {
    const text = [`Measured ${new Date().toISOString().slice(0, 10)} on ${machine()}.`, ...tables].join(
      '\n\n',
    )
    await writeFile(page, between(await readFile(page, 'utf8'), text, 'conduct'))
  }
  return 0
}

function markdown({ title, rows }: Table): string {
  const names = Object.keys(rows[0] ?? {})
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    `### ${title}`,
    '',
    line(names),
    line(names.map(() => '---')),
    ...rows.map((row) => line(names.map((name) => row[name] ?? ''))),
  ].join('\n')
}

await runCommand(usage, main)
