import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enter } from '../src/database/batch/batch.ts'
import { type Commands, isThere } from './commands.ts'
import type { Contender, Operation, Sample } from './contender.ts'
import { changedTitle, data, firstOwner, firstTask, idPrefix, statementOf } from './workload.ts'

const clientsTried = [2, 4, 8, 16, 32, 64]
const threads = 2

export async function findPgbench(commands: Commands): Promise<string | undefined> {
  const version = await isThere(commands, 'pgbench', '--version', /PostgreSQL\) (\S+)/)
  return version === undefined ? undefined : `pgbench ${version}`
}

/**
 * The limit: the very statements Docket sends, in the same owner batch, prepared and in one flight, with no HTTP,
 * token, validation or log around them. It may have as many clients as suit it best, tried out before each operation.
 */
export async function openPgbench(commands: Commands, url: string): Promise<Contender> {
  const folder = await mkdtemp(join(tmpdir(), 'docket-bench-'))
  const best: Partial<Record<Operation, number>> = {}
  let runs = 0

  const run = async (operation: Operation, seconds: number, clients: number): Promise<Sample> => {
    const { script, variables } = scriptOf(operation)
    const file = join(folder, `${operation}.sql`)
    await writeFile(file, script)
    const output = await commands.run('pgbench', [
      ...['--no-vacuum', '--protocol=prepared', `--time=${seconds}`, `--file=${file}`],
      ...[`--client=${clients}`, `--jobs=${Math.min(threads, clients)}`],
      // Ids of new tasks count on from here, so that no two runs make the same one.
      ...['-D', `made=${++runs * 10 ** 12}`],
      ...variables.flatMap(([name, value]) => ['-D', `${name}=${value}`]),
      url,
    ])
    return sampleOf(output)
  }
  return {
    name: 'pgbench',
    note: () => `the statements alone; ${operationsAndClients(best)}`,
    prepare: async (operation, seconds) => {
      let fastest = 0
      for (const clients of clientsTried) {
        const { requests, seconds: took } = await run(operation, seconds, clients)
        if (requests / took <= fastest) continue
        fastest = requests / took
        best[operation] = clients
      }
    },
    measure: (operation, seconds) => run(operation, seconds, best[operation] ?? threads),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

const ownerMark = 'the owner'
const idMark = 'the id'
const titleMark = 'the new title'

/**
 * A `pgbench` script of one owner batch, and the variables it needs. The text is the compiled statement's; its
 * parameters become `pgbench` variables, which `--protocol=prepared` makes parameters again.
 */
export function scriptOf(operation: Operation): { script: string; variables: [string, string][] } {
  const { text, values } = statementOf(operation, { owner: ownerMark, id: idMark, title: titleMark })
  const variables: [string, string][] = []
  const statement = text.replace(/\$(\d+)/g, (_, n: string) => {
    const value = values[Number(n) - 1]
    if (value === ownerMark) return ':owner'
    // pgbench has numbers only, so the rest of the id is put in front by the statement.
    if (value === idMark) return `('${idPrefix}' || :task)::uuid`
    if (value === titleMark) return `('${changedTitle}' || :count)`
    if (value === null) return 'null'
    if (!variables.some(([name]) => name === `given${n}`)) variables.push([`given${n}`, String(value)])
    return `:given${n}`
  })
  const task =
    operation === 'create'
      ? ['\\set made :made + 1000', `\\set task ${firstTask} + :made + :client_id`]
      : [`\\set task ${firstTask} + :caller * ${data.tasksEach} + random(0, ${data.tasksEach - 1})`]
  const lines = [
    `\\set caller random(0, ${data.callers - 1})`,
    `\\set owner ${firstOwner} + :caller`,
    ...task,
    ...(operation === 'patch' ? ['\\set count random(1000000, 9999999)'] : []),
    '\\startpipeline',
    `${enter().replaceAll('$1', ':owner')};`,
    `${statement};`,
    '\\endpipeline',
  ]
  return { script: `${lines.join('\n')}\n`, variables }
}

/** @throws Error when any transaction failed. */
function sampleOf(output: string): Sample {
  const requests = Number(/transactions actually processed: (\d+)/.exec(output)?.[1])
  const failed = Number(/failed transactions: (\d+)/.exec(output)?.[1] ?? 0)
  const perSecond = Number(/tps = ([\d.]+)/.exec(output)?.[1])
  if (!(requests > 0 && perSecond > 0 && failed === 0)) throw new Error(`pgbench failed:\n${output}`)
  return { requests, seconds: requests / perSecond }
}

function operationsAndClients(best: Partial<Record<Operation, number>>): string {
  return Object.entries(best)
    .map(([operation, clients]) => `${operation} ${clients} clients`)
    .join(', ')
}
