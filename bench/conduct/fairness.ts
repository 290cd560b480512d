import { variables } from '../../src/config/variables.ts'
import { laneLimits } from '../../src/database/lanes/lanes.ts'
import { listTasks } from '../../src/tasks/statements.ts'
import { startProxy } from '../../test/support/proxy.ts'
import { data, ownerName, taskId, withClient } from '../workload.ts'
import { outcomes, perSecond, type Report, requestText, startLoad } from './load.ts'
import { reads, type Stage, type Table } from './stage.ts'

/** What others ask for, a second, over so many connections: far from all that could be answered. */
const others = { rate: 200, connections: 32 }
const loudConnections = 16
/** What RATE_LIMIT lets one owner have, a second. Limits are off here, so the one is slowed where it asks. */
const allowed = Number(variables.rateLimit.default) / 60
const seconds = 15
const wholeList = { limit: 500, skip: 0 }

/** What the callers see of one among them who asks for much, or whose statements wait. */
export async function fairness(stage: Stage): Promise<Table> {
  const { tokens, tell, commands } = stage
  const [loudToken = ''] = tokens
  const quiet = reads(tokens).slice(1)
  await using docket = await stage.start()
  const { port } = docket
  const load = (requests: string[], order: { connections: number; rate?: number; seconds?: number }) =>
    startLoad({ port, requests, ...order }, commands.signal)
  await load(quiet, { connections: 16, seconds: 3 }).report
  await fillUp(stage.databaseUrl)

  const measured = async (what: string) => {
    tell(what)
    return load(quiet, { ...others, seconds }).report
  }
  const beside = async (what: string, requests: string[], rate?: number) => {
    const loud = load(requests, { connections: loudConnections, ...(rate && { rate }) })
    const report = await measured(what)
    loud.stop()
    return { report, loud: await loud.report }
  }
  const rows = [told('the others alone', await measured('the others alone'))]
  const lists = [requestText(loudToken, { method: 'GET', path: '/api/v1/tasks?limit=500' })]
  for (const [what, rate] of [
    [`beside 500-row lists of one owner, ${allowed} a second as RATE_LIMIT has it`, allowed],
    ['beside 500-row lists of one owner, as fast as they come', undefined],
  ] as const) {
    const listing = await beside(what, lists, rate)
    rows.push(told(what, listing.report, outcomes(listing.loud)))
  }
  const waiting = await withClient(stage.databaseUrl, async (client) => {
    await client.query('begin')
    await client.query(`select 1 from docket.tasks where owner_id = $1 for update`, [ownerName(0)])
    const path = `/api/v1/tasks/${taskId(0, 0)}`
    const body = JSON.stringify({ status: 'Done' })
    return beside('beside lock waits of one owner', [requestText(loudToken, { method: 'PATCH', path, body })])
  })
  rows.push(told('beside lock waits of one owner', waiting.report, outcomes(waiting.loud)))
  const direct = 'beside the same lists, asked of Postgres by somebody else'
  const { report, lists: asked } = await besideDirectLists(stage.databaseUrl, () => measured(direct))
  rows.push(told(direct, report, `${asked} lists`))
  rows.push(told('the others alone again', await measured('the others alone again')))
  return { title: `Fairness: ${others.rate} reads/s of ${tokens.length - 1} owners`, rows }
}

/**
 * What Postgres and the machine do to others when nothing of the lists goes through Docket: as many at a time as it has
 * of one owner.
 */
async function besideDirectLists(
  url: string,
  work: () => Promise<Report>,
): Promise<{ report: Report; lists: number }> {
  const query = { name: 'list', text: listTasks.text, values: [...listTasks.values(ownerName(0), wholeList)] }
  let going = true
  let lists = 0
  const listing = Promise.all(
    Array.from({ length: laneLimits.inFlightOfOne }, () =>
      withClient(url, async (client) => {
        for (; going; lists++) await client.query(query)
      }),
    ),
  )
  // Heard of below; until then a failure is nobody's.
  listing.catch(() => undefined)
  try {
    return { report: await work(), lists }
  } finally {
    going = false
    await listing
  }
}

function told(who: string, report: Report, loud = ''): Record<string, string> {
  return {
    reads: who,
    p50: `${report.p50Ms.toFixed(2)} ms`,
    p99: `${report.p99Ms.toFixed(2)} ms`,
    answers: outcomes(report),
    'of the one': loud,
  }
}

/** The owner of number 0 gets as many tasks as a list may have. */
async function fillUp(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, (client) =>
    client.query(
      `insert into docket.tasks (owner_id, id, title, status, created_at, updated_at)
       select $1, gen_random_uuid(), 'Task ' || n, 'Todo', now(), now() from generate_series(${data.tasksEach + 1}, 500) n`,
      [ownerName(0)],
    ),
  )
}

/** Many in flight: 64 clients, four connections to a database that is 10 ms away, each way. */
export async function distance(stage: Stage): Promise<Table> {
  const proxy = await startProxy(stage.databaseUrl)
  try {
    await using docket = await stage.start({
      settings: { DATABASE_URL: proxy.url, DATABASE_CONNECTIONS: '4' },
    })
    proxy.delay(10)
    stage.tell('64 clients, 10 ms each way')
    const order = { port: docket.port, requests: reads(stage.tokens), connections: 64 }
    const { signal } = stage.commands
    await startLoad({ ...order, seconds: 2 }, signal).report
    const report = await startLoad({ ...order, seconds: 10 }, signal).report
    const row = {
      'reads a second': String(Math.round(perSecond(report))),
      p50: `${report.p50Ms.toFixed(1)} ms`,
      p99: `${report.p99Ms.toFixed(1)} ms`,
      answers: outcomes(report),
    }
    return { title: 'Distance: 64 clients, 4 connections, 10 ms each way to the database', rows: [row] }
  } finally {
    await proxy.close()
  }
}
