import { startProxy } from '../../test/support/proxy.ts'
import { usageOfTree } from '../process-usage.ts'
import { good, type Order, outcomes, perSecond, type Report, startLoad } from './load.ts'
import { reads, type Stage, type Table } from './stage.ts'

const connections = { steady: 64, most: 1_000 }
/** How long it takes from the end of the overload, at the most, until a window is as one before it. */
const windowSeconds = 0.5
const windows = 20

/**
 * Three times as many requests as can be answered, whether or not the answers come: how many are answered in time,
 * with what the rest is, and how soon everything is as before.
 */
export async function overload(stage: Stage, seconds: number): Promise<Table> {
  const rows = [await row(stage, 'the processors', seconds, stage.databaseUrl, '8')]
  const proxy = await startProxy(stage.databaseUrl)
  try {
    // 32 statements in flight on one connection, 40 ms each.
    proxy.delay(20)
    rows.push(await row(stage, 'the database (1 connection, 20 ms each way)', seconds, proxy.url, '1'))
  } finally {
    await proxy.close()
  }
  return { title: `Overload: 3 × capacity for ${seconds} s`, rows }
}

async function row(
  { start, tokens, tell, commands: { signal } }: Stage,
  limit: string,
  seconds: number,
  databaseUrl: string,
  databaseConnections: string,
): Promise<Record<string, string>> {
  await using docket = await start({
    settings: { DATABASE_URL: databaseUrl, DATABASE_CONNECTIONS: databaseConnections },
  })
  const { port } = docket
  const run = (order: Pick<Order, 'connections' | 'rate' | 'seconds'>): Promise<Report> =>
    startLoad({ port, requests: reads(tokens), ...order }, signal).report

  tell(`${limit}: the most there is`)
  await run({ connections: connections.steady, seconds: 2 })
  const measured = async (order: Parameters<typeof run>[0]) => {
    const before = await usageOfTree(docket.pid)
    const report = await run(order)
    const after = await usageOfTree(docket.pid)
    const cpuSeconds = (after?.cpuSeconds ?? Number.NaN) - (before?.cpuSeconds ?? Number.NaN)
    return { ...report, cpuUs: (1e6 * cpuSeconds) / good(report) }
  }
  const peak = await measured({ connections: connections.steady, seconds: 5 })
  const most = perSecond(peak)
  const calm = { connections: connections.steady, rate: most / 10 }
  const before = await run({ ...calm, seconds: 5 })

  tell(`${limit}: three times ${Math.round(most)} requests/s`)
  const over = await measured({ connections: connections.most, rate: 3 * most, seconds })
  tell(`${limit}: and after`)
  let normal: number | undefined
  for (let window = 1; window <= windows && normal === undefined; window++) {
    const after = await run({ ...calm, seconds: windowSeconds })
    const only200 = Object.keys({ ...after.statuses, ...after.failures }).join() === '200'
    if (only200 && after.p99Ms <= 2 * before.p99Ms + 1) normal = window * windowSeconds
  }
  return {
    limit,
    peak: `${Math.round(most)}/s`,
    offered: `${Math.round((over.sent + over.unsent) / over.seconds)}/s`,
    sent: `${Math.round(over.sent / over.seconds)}/s`,
    goodput: `${Math.round(perSecond(over))}/s, ${Math.round((100 * perSecond(over)) / most)} %`,
    // Where the load takes from the processors that it asks for more of, this still compares.
    'CPU for each of those': `${Math.round(over.cpuUs)} µs (at the peak ${Math.round(peak.cpuUs)} µs)`,
    'p99 of those': `${Math.round(over.p99Ms)} ms`,
    answers: outcomes(over),
    normal: normal === undefined ? `not within ${windows * windowSeconds} s` : `after ${normal} s`,
  }
}
