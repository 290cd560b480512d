import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startProxy } from '../../test/support/proxy.ts'
import { usageOfTree } from '../process-usage.ts'
import { ownerName } from '../workload.ts'
import { requireWrk } from '../wrk.ts'
import { crowd } from './crowd.ts'
import { type Answers, good, outcomes, perSecond, startLoad } from './load.ts'
import { reads, type Stage, type Table } from './stage.ts'

/** The peak is reached with the first; the crowds are three times as many, and as many as are hardly ever seen. */
const connections = { steady: 64, crowds: [192, 1_000], most: 4_000 }
/** Until everything is as before is looked at in windows. */
const windowSeconds = 0.5
const windows = 20

/**
 * Three times as many requests as can be answered: how many are answered in time, with what the rest is, and how soon
 * everything is as before.
 */
export async function overload(stage: Stage, seconds: number): Promise<Table> {
  await requireWrk(stage.commands)
  const rows: Record<string, string>[] = []
  for (const clients of connections.crowds) rows.push(await byCrowd(stage, seconds, clients))
  rows.push(await byRate(stage, seconds))
  return { title: `Overload for ${seconds} s`, rows }
}

/** The processors are the limit, and all clients ask again at once whatever the answer. */
async function byCrowd(stage: Stage, seconds: number, clients: number) {
  const { commands, tokens, folder } = stage
  const callersFile = join(folder, 'crowd')
  await writeFile(callersFile, tokens.map((token, owner) => `${token} ${ownerName(owner)}\n`).join(''))
  return row(stage, {
    limit: `the processors; ${clients} clients`,
    settings: {},
    seconds,
    load: (port, options) => crowd(commands, { port, callersFile, ...options }),
    over: () => ({ connections: clients }),
  })
}

/** The database is the limit: 32 statements in flight, 40 ms each. Requests come at a rate, answered or not. */
async function byRate(stage: Stage, seconds: number) {
  const proxy = await startProxy(stage.databaseUrl)
  try {
    proxy.delay(20)
    return await row(stage, {
      limit: 'the database, 1 connection, 20 ms each way; 3 × the peak',
      settings: { DATABASE_URL: proxy.url, DATABASE_CONNECTIONS: '1' },
      seconds,
      load: (port, options) =>
        startLoad({ port, requests: reads(stage.tokens), ...options }, stage.commands.signal).report,
      over: (peak) => ({ connections: connections.most, rate: 3 * peak }),
    })
  } finally {
    await proxy.close()
  }
}

type Load = { connections: number; rate?: number }
type Overload = {
  limit: string
  settings: Record<string, string>
  seconds: number
  load: (port: number, options: Load & { seconds: number }) => Promise<Answers>
  over: (peak: number) => Load
}

async function row(stage: Stage, { limit, settings, seconds, load, over }: Overload) {
  await using docket = await stage.start({ settings })
  const { port, pid } = docket
  const measured = async (options: Load & { seconds: number }) => {
    const before = await usageOfTree(pid)
    const report = await load(port, options)
    const after = await usageOfTree(pid)
    const cpuSeconds = (after?.cpuSeconds ?? Number.NaN) - (before?.cpuSeconds ?? Number.NaN)
    return { ...report, cpuUs: Math.round((1e6 * cpuSeconds) / good(report)) }
  }
  const steady = { connections: connections.steady }
  stage.tell(`${limit}: the peak`)
  await load(port, { ...steady, seconds: 2 })
  const peak = await measured({ ...steady, seconds: 5 })
  const calm = (forSeconds: number) =>
    startLoad(
      {
        ...{ port, requests: reads(stage.tokens), connections: connections.steady },
        ...{ rate: perSecond(peak) / 10, seconds: forSeconds },
      },
      stage.commands.signal,
    ).report
  const before = await calm(5)

  stage.tell(`${limit}: overload`)
  const report = await measured({ ...over(perSecond(peak)), seconds })
  stage.tell(`${limit}: and after`)
  let normal: number | undefined
  for (let window = 1; window <= windows && normal === undefined; window++) {
    const after = await calm(windowSeconds)
    const only200 = Object.keys({ ...after.statuses, ...after.failures }).join() === '200'
    if (only200 && after.p99Ms <= 2 * before.p99Ms + 1) normal = window * windowSeconds
  }
  return {
    limit,
    peak: `${Math.round(perSecond(peak))}/s`,
    goodput: `${Math.round(perSecond(report))}/s, ${Math.round((100 * perSecond(report)) / perSecond(peak))} %`,
    'CPU for each of those': `${report.cpuUs} µs (at the peak ${peak.cpuUs} µs)`,
    p99: `${Math.round(report.p99Ms)} ms`,
    answers: outcomes(report),
    normal: normal === undefined ? `not within ${windows * windowSeconds} s` : `after ${normal} s`,
  }
}
