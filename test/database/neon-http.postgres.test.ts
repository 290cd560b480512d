import { randomUUID } from 'node:crypto'
import { neon } from '@neondatabase/serverless'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openPostgres, type PostgresOptions } from '../../src/database/database.ts'
import { taskQuotas } from '../../src/tasks/quotas.ts'
import { createTask, taskStatements } from '../../src/tasks/statements.ts'
import { marksTable, whoAmI, workloadStatements } from '../isolation/failing.ts'
import { runWorkload } from '../isolation/workload.ts'
import { askOne } from '../support/ask.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { type Fault, type NeonStandIn, type SqlRequest, startNeonStandIn } from '../support/neon-stand-in.ts'
import { admin } from '../support/real-postgres.ts'
import { echo, nap, outcome, until, writeAtGate } from './gate.ts'

let postgres: FreshDatabase
let proxy: NeonStandIn
let opened: Database | undefined
let logged: string[]

beforeAll(async () => {
  postgres = await freshDatabase()
  await admin(postgres.url, marksTable)
})
beforeEach(async () => {
  proxy = await startNeonStandIn()
  logged = []
})
afterEach(async () => {
  await opened?.close()
  opened = undefined
  await proxy.close()
  await admin(postgres.url, 'delete from docket.tasks')
})
afterAll(() => postgres.drop())

const statements = [...workloadStatements, echo, nap, writeAtGate]
const open = async (limits: PostgresOptions['limits'] = {}, url = postgres.url) => {
  const log = pino({}, { write: (line: string) => logged.push(JSON.parse(line).event) })
  opened = await openPostgres({ url, driver: 'neon-http', statements, log, limits })
  return opened
}
const fields = { description: null, status: 'Todo' }
const rows = () => admin(postgres.url, 'select owner_id, title from docket.tasks')

/** Whether it is an owner's batch; a new lane asks for rights and policies in a transaction too. */
const isBatch = ({ queries: [first] }: SqlRequest) => first?.query.includes("set_config('role'") ?? false

/** Requests to `/sql` since; those that were an owner's batch. */
const batchesOf = async (work: () => Promise<unknown>) => {
  const before = proxy.requests().length
  await work()
  return proxy.requests().slice(before).filter(isBatch)
}

describe('one call', () => {
  test('is one request and one transaction: enter as the owner, then the statement, nothing else', async () => {
    const database = await open()
    const before = proxy.requests().length
    await askOne(database, 'ann', createTask, { id: randomUUID(), given: { title: 'x', ...fields } })
    const [request, ...more] = proxy.requests().slice(before)
    expect(more).toEqual([])
    expect(request?.headers['neon-batch-isolation-level']).toBe('ReadCommitted')
    expect(request?.queries).toEqual([
      { query: expect.stringMatching(/set_config\('role', 'docket_app', true\)/), params: ['ann'] },
      { query: createTask.text, params: expect.arrayContaining(['ann', 'x']) },
    ])
  })

  test('leaves nothing of its owner on the connection that Neon keeps', async () => {
    const database = await open()
    expect(await askOne(database, 'ann', whoAmI, { word: 'x' })).toBe('ann ann docket_app x')
    const url = new URL(postgres.url)
    url.searchParams.set('application_name', 'docket')
    const [left] = await neon(url.href).query(`select current_user::text as who, application_name as name,
      coalesce(current_setting('app.user_id', true), '') as owner, current_setting('statement_timeout') as timeout
      from pg_stat_activity where pid = pg_backend_pid()`)
    expect(left).toEqual({ who: 'postgres', name: 'docket', owner: '', timeout: '0' })
  })

  test('is never made for nobody', async () => {
    const database = await open()
    expect(await batchesOf(() => outcome(askOne(database, '', echo, { word: 'x' })))).toEqual([])
  })
})

test('many callers, a fifth of them failing inside Postgres: each answer is its caller’s, a failed write left nothing', async () => {
  const database = await open()
  const report = await runWorkload(database, { owners: 10, workers: 4, requests: 15 })
  expect(report).toMatchObject({ wrong: [], settled: 600, failedInside: 120 })
  const there = await admin(
    postgres.url,
    "select concat_ws(' ', owner_id, id, title) as row from docket.tasks",
  )
  expect(there.map(({ row }) => String(row)).sort()).toEqual(report.rows)
})

test('as many requests are under way as there may be connections, and the rest waits its turn', async () => {
  const database = await open({ connections: 2, inFlightOfOne: 100 })
  const naps = Array.from({ length: 6 }, (_, i) => outcome(askOne(database, `ann${i}`, nap, { word: '0.2' })))
  let most = 0
  const sampled = until(async () => {
    const [{ busy } = {}] = await admin(
      postgres.url,
      "select count(*)::int as busy from pg_stat_activity where datname = current_database() and application_name = 'docket' and wait_event = 'PgSleep'",
    )
    most = Math.max(most, Number(busy))
    return most === 2
  })
  expect(new Set(await Promise.all(naps))).toEqual(new Set(['']))
  await sampled
  expect(most).toBe(2)
})

describe('a write', () => {
  /** What a write comes to, and how often it was sent, when this becomes of each transaction. */
  const writing = async (fault: Fault, limits: PostgresOptions['limits'] = {}) => {
    const database = await open(limits)
    proxy.faulty((request) => (isBatch(request) ? fault : undefined))
    let came = ''
    const sent = await batchesOf(async () => {
      came = await outcome(askOne(database, 'ann', writeAtGate, { word: 'done' }))
    })
    return { came, sent: sent.length }
  }

  test.each<[what: string, fault: Fault, there: number]>([
    ['whose answer is lost after the commit was done once', 'lose the answer', 1],
    ['whose answer breaks off was done once', 'truncate', 1],
    ['that is answered by 500', { status: 500, body: 'internal' }, 0],
    ['that is answered by 502', { status: 502, body: '<html>' }, 0],
    ['that is answered by 429', { status: 429, body: 'slow down' }, 0],
    ['that is answered by a 400 that is no JSON', { status: 400, body: 'bad' }, 0],
    ['that is answered by a 400 of nobody', { status: 400, body: '{"message":"something"}' }, 0],
    ['that is answered by what is no answer', { status: 200, body: '{"results":7}' }, 0],
    ['that is answered by half of one', { status: 200, body: '{"results":[{"fields":[],"rows":[]}]}' }, 0],
    ['that is sent on to somebody else', { status: 307, body: '', headers: { location: '/sql' } }, 0],
  ])('%s: its caller is told that it is not known, and it is not sent again', async (_what, fault, there) => {
    expect(await writing(fault)).toEqual({ came: 'unavailable ConnectionLost', sent: 1 })
    expect(await rows()).toHaveLength(there)
  })

  test('that is not answered in time is given up', async () => {
    expect(await writing('hang', { batchMs: 200 })).toEqual({ came: 'unavailable ConnectionLost', sent: 1 })
  })

  test.each([
    ['no SQLSTATE', '{"message":"Control plane request failed"}'],
    ['one', '{"message":"Couldn\'t connect to compute node","code":"08006","severity":"ERROR"}'],
  ])('that Neon could not bring to the database is sent again, said with %s', async (_what, body) => {
    expect((await writing({ status: 400, body })).sent).toBe(3)
  })

  test('beyond the quota of the plan is not sent again', async () => {
    const body = '{"message":"Your account or project has exceeded the compute time quota."}'
    expect((await writing({ status: 400, body })).sent).toBe(1)
  })

  test.each([
    ['40001', 3],
    ['23505', 1],
  ])(
    'that Postgres refused with %s is sent %i times, also when the severity is missing',
    async (code, sent) => {
      const body = JSON.stringify({ message: 'refused', code })
      const said = await writing({ status: 400, body })
      expect(said).toEqual({ came: expect.stringMatching(`${code}$`), sent })
    },
  )
})

describe('a read', () => {
  test.each<[Fault]>([['lose the answer'], ['truncate'], ['hang'], [{ status: 503, body: '' }]])(
    'that comes to %j is sent again, three times at the most',
    async (fault) => {
      const database = await open({ batchMs: 200 })
      let faults = 2
      proxy.faulty((request) => (isBatch(request) && faults-- > 0 ? fault : undefined))
      const sent = await batchesOf(async () => {
        expect(await askOne(database, 'ann', echo, { word: 'here' })).toBe('here')
      })
      expect(sent).toHaveLength(3)
      faults = Infinity
      const more = await batchesOf(() => outcome(askOne(database, 'ann', echo, { word: 'here' })))
      expect(more).toHaveLength(3)
    },
  )
})

test('a statement that runs too long is ended by Postgres', async () => {
  const database = await open({ statementTimeoutMs: 200 })
  expect(await outcome(askOne(database, 'ann', nap, { word: '600' }))).toBe('unavailable 57014')
})

test('the quota of tasks is told as over TCP', async () => {
  const database = await open({ quotas: taskQuotas({ taskQuota: 1, storageQuotaBytes: 1e9 }) })
  const create = () =>
    outcome(askOne(database, 'ann', createTask, { id: randomUUID(), given: { title: 'x', ...fields } }))
  expect(await create()).toContain('"title":"x"')
  expect(await create()).toBe('quota_exceeded DQ001')
})

test('while nothing listens it is out of reach, said once; and it comes back by itself', async () => {
  const database = await open()
  await proxy.refuse()
  expect(await outcome(askOne(database, 'ann', writeAtGate, { word: 'x' }))).toMatch(/^unavailable/)
  await until(async () => {
    await outcome(askOne(database, 'ann', echo, { word: 'x' }))
    return !database.reachable()
  })
  expect(await outcome(askOne(database, 'ann', echo, { word: 'x' }))).toMatch(/^unavailable/)
  await proxy.listen()
  await until(() => database.reachable())
  expect(await askOne(database, 'ann', echo, { word: 'back' })).toBe('back')
  expect(logged).toEqual(['database_lost', 'database_back'])
})

test('closing waits for what is under way, and not for ever', async () => {
  const database = await open({ batchMs: 400 })
  proxy.faulty(({ queries }) => (queries[1]?.params.includes('stuck') ? 'hang' : undefined))
  const [slow, stuck] = ['0.2', 'stuck'].map((word) =>
    outcome(
      word === 'stuck' ? askOne(database, 'bob', echo, { word }) : askOne(database, 'ann', nap, { word }),
    ),
  )
  await database.close()
  expect(await slow).toBe('')
  expect(await stuck).toMatch(/^unavailable/)
})

describe('a URL that cannot be used is told in one sentence', () => {
  const sentence = async (url: string) => {
    const log = pino({ level: 'silent' })
    const opening = openPostgres({ url, driver: 'neon-http', statements: taskStatements, log })
    return opening.then(
      () => 'opened',
      (error: Error) => error.message,
    )
  }
  const changed = (change: (url: URL) => void) => {
    const url = new URL(postgres.url)
    change(url)
    return url.href
  }

  test('nobody there', async () => {
    await proxy.refuse()
    expect(await sentence(postgres.url)).toMatch(/nothing listens at its host and port/)
  })

  test('wrong password, wrong database', async () => {
    expect(await sentence(changed((url) => (url.password = 'wrong')))).toMatch(/the password is wrong/)
    expect(await sentence(changed((url) => (url.pathname = '/missing')))).toMatch(
      /the database does not exist/,
    )
  })

  test('what Neon says without a SQLSTATE', async () => {
    const saying = (message: string) => {
      proxy.faulty(() => ({ status: 400, body: JSON.stringify({ message }) }))
      return sentence(postgres.url)
    }
    expect(await saying("password authentication failed for user 'ann'")).toMatch(/the password is wrong/)
    expect(await saying('The requested endpoint could not be found')).toMatch(/no such endpoint/)
    expect(await saying('Your project has exceeded the compute time quota.')).toMatch(/quota .* used up/)
  })

  test('somebody else there', async () => {
    proxy.faulty(() => ({ status: 404, body: 'Not here' }))
    const said = await sentence(postgres.url)
    expect(said).toMatch(/nothing there answers as Neon's proxy does/)
    expect(said).not.toMatch(/postgres:postgres/)
  })
})
