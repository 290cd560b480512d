import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../test/support/real-postgres.ts'
import { type Commands, commandsUntil } from './commands.ts'
import { operations } from './contender.ts'
import { docketApi } from './docket.ts'
import { startApi } from './http-api.ts'
import { writeCallers } from './http-contender.ts'
import { machine, prepareSite } from './prepare-site.ts'
import { descriptorsOf, usageOfTree } from './process-usage.ts'
import { withClient } from './workload.ts'
import { requireWrk, underLoad } from './wrk.ts'

export type SoakPlan = {
  readonly minutes: number
  /** Over HTTP, together; each kind of request has its share, one at the least. */
  readonly connections: number
  readonly databaseConnections: readonly number[]
  readonly tell: (step: string) => void
}

/** What one process holds at one moment. */
export type Holding = {
  /** Since the load began. */
  readonly minute: number
  readonly residentMb: number
  readonly descriptors: number
  readonly databaseConnections: number
}

export type Soak = {
  readonly date: string
  readonly machine: string
  readonly minutes: number
  readonly connections: number
  /** Answered; one that is refused or fails ends the soak with an error. */
  readonly requests: number
  /** Before the load; after a warm-up of a few seconds. */
  readonly before: Holding
  readonly during: readonly Holding[]
  /** When connections to the database that nobody uses have been closed, or it is clear that they stay. */
  readonly after: Holding
}

const root = join(import.meta.dirname, '..')
const sampleEveryMs = 5_000
const warmUpSeconds = 5
/** Unused connections are closed after a minute. */
const settleMs = 90_000
/** More than all callers can make in the longest soak, so that none is refused. */
const quotas = { TASK_QUOTA: '1000000', STORAGE_QUOTA: '999999999999' }

/**
 * All operations at once on one Docket for some minutes, and what its process holds meanwhile.
 * @throws Error where there is no `/proc`, or when a request fails.
 */
export async function soak(commands: Commands, plan: SoakPlan): Promise<Soak> {
  const { minutes, connections, tell } = plan
  await requireWrk(commands)
  await using opened = new AsyncDisposableStack()
  tell('starting Postgres and filling it')
  const [databaseConnections = 1] = plan.databaseConnections
  const shared = await prepareSite(commands, opened, { connections, databaseConnections })
  const site = { ...shared, port: await freePort(), name: 'docket', root }
  const api = docketApi(site)
  const command = { ...api.command, env: { ...api.command.env, ...quotas } }
  const { origin, pid } = opened.use(await startApi({ ...api, command }, site.port, commands.signal))
  const callersFile = await writeCallers(api, origin, site.folder)

  // When one kind fails the others end with it.
  const failed = opened.adopt(new AbortController(), (controller) => controller.abort())
  const loads = commandsUntil(AbortSignal.any([commands.signal, failed.signal]))
  const each = Math.max(1, Math.floor(connections / operations.length))
  const load = async (seconds: number) => {
    const kinds = operations.map((operation) =>
      underLoad(loads, {
        ...{ origin, callersFile, idPrefix: api.idPrefix, connections: each, seconds },
        request: api.requests[operation],
      }),
    )
    return (await Promise.all(kinds)).reduce((sum, { requests }) => sum + requests, 0)
  }
  let began = performance.now()
  const holding = () => holdingOf(pid, site.databaseUrl, (performance.now() - began) / 60_000)

  tell(`warming up for ${warmUpSeconds} s`)
  await load(warmUpSeconds)
  await wait(1_000)
  const before = await holding()
  began = performance.now()
  const during: Holding[] = []
  let requests: number | undefined
  const running = load(minutes * 60).then((answered) => {
    requests = answered
  })
  while (requests === undefined) {
    await Promise.race([running, wait(sampleEveryMs)])
    const now = await holding()
    if (requests === undefined) during.push(now)
    tell(told(now))
  }

  tell('waiting for unused connections to be closed')
  const settled = performance.now() + settleMs
  let after = await holding()
  while (after.databaseConnections > 1 && performance.now() < settled) {
    commands.signal.throwIfAborted()
    await wait(sampleEveryMs)
    after = await holding()
  }
  const date = new Date().toISOString().slice(0, 10)
  return {
    date,
    machine: machine(),
    minutes,
    connections: each * operations.length,
    requests,
    before,
    during,
    after,
  }
}

async function holdingOf(pid: number, databaseUrl: string, minute: number): Promise<Holding> {
  const [usage, descriptors, databaseConnections] = await Promise.all([
    usageOfTree(pid),
    descriptorsOf(pid),
    withClient(databaseUrl, async (client) => {
      const { rows } = await client.query(
        "select count(*)::int open from pg_stat_activity where application_name = 'docket'",
      )
      return Number(rows[0]?.open)
    }),
  ])
  if (usage === undefined || descriptors === undefined)
    throw new Error('The soak reads /proc, which this system does not have.')
  return { minute, residentMb: usage.residentBytes / 1e6, descriptors, databaseConnections }
}

/** Of the line through the second half of the samples, by least squares: megabytes a minute. */
export function slopeOf(during: readonly Pick<Holding, 'minute' | 'residentMb'>[]): number {
  const half = during.slice(Math.floor(during.length / 2))
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [minute, memory] = [mean(half.map((each) => each.minute)), mean(half.map((each) => each.residentMb))]
  const spread = half.reduce((sum, each) => sum + (each.minute - minute) ** 2, 0)
  return half.reduce((sum, each) => sum + (each.minute - minute) * (each.residentMb - memory), 0) / spread
}

export function soakMarkdown(result: Soak): string {
  const { date, machine, minutes, connections, requests, before, during, after } = result
  const most = (of: (holding: Holding) => number) => Math.max(...during.map(of))
  const row = (what: string, of: (holding: Holding) => number) =>
    `| ${what} | ${Math.round(of(before))} | ${Math.round(most(of))} | ${Math.round(of(after))} |`
  return [
    `Measured ${date} on ${machine}: ${minutes} minutes of all operations at once over ${connections} HTTP connections, ${requests.toLocaleString('en')} requests, none failed.`,
    [
      '| | before | most | after |',
      '|---|---:|---:|---:|',
      row('memory, MB', ({ residentMb }) => residentMb),
      row('open descriptors', ({ descriptors }) => descriptors),
      row('connections to the database', ({ databaseConnections }) => databaseConnections),
    ].join('\n'),
    `Over the second half memory changes by ${slopeOf(during).toFixed(2)} MB a minute.`,
  ].join('\n\n')
}

function told({ minute, residentMb, descriptors, databaseConnections }: Holding): string {
  return `${minute.toFixed(1)} min: ${Math.round(residentMb)} MB, ${descriptors} descriptors, ${databaseConnections} database connections`
}
