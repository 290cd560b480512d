import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { pino } from 'pino'
import { RateLimiterRes } from 'rate-limiter-flexible'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openRateWindows, type RateWindows } from '../../src/database/rate-windows.ts'
import { sharedCounter } from '../../src/http/gate/rate-counter.ts'
import { type Caller, startApi, type TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { startProxy } from '../support/proxy.ts'
import { admin } from '../support/real-postgres.ts'

const shared = { RATE_LIMIT: '5', RATE_LIMIT_STORE: 'postgres', RATE_LIMIT_ADDRESS: '3' }
let database: FreshDatabase
let here: TestApi
let there: TestApi
beforeAll(async () => {
  database = await freshDatabase()
  here = await startApi(shared, { databaseUrl: database.url })
  there = await startApi(
    {
      ...shared,
      AUTH_JWKS_URL: here.issuer.url,
      AUTH_ISSUER: here.issuer.issuer,
      AUTH_AUDIENCE: here.issuer.audience,
    },
    { databaseUrl: database.url },
  )
})
afterAll(async () => {
  await here.close()
  await there.close()
  await database.drop()
})

const counts = () => admin(database.url, 'select key, points from docket.rate_windows')
const elsewhere = (owner: Caller) =>
  there.call('/api/v1/me', { headers: { authorization: `Bearer ${owner.token}` } })

test('instances on one database count an owner together', async () => {
  const [ann, bob] = [await here.newOwner(), await here.newOwner()]
  const answers = []
  for (let i = 0; i < 3; i++) answers.push(await ann.call('/me'), await elsewhere(ann))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429])
  expect(answers.map(({ headers }) => headers.get('ratelimit')?.split(';')[1])).toEqual([
    'r=4',
    'r=3',
    'r=2',
    'r=1',
    'r=0',
    'r=0',
  ])
  expect((await ann.call('/me')).status).toBe(429)
  expect((await elsewhere(bob)).status).toBe(200)
})

test('many at once are not let through beyond the limit', async () => {
  const ann = await here.newOwner()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? ann.call('/me') : elsewhere(ann))),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
})

test('who is beyond the limit costs Postgres nothing more', async () => {
  const ann = await here.newOwner()
  for (let i = 0; i < 6; i++) await ann.call('/me')
  const before = await counts()
  for (let i = 0; i < 5; i++) expect((await ann.call('/me')).status).toBe(429)
  expect(await counts()).toEqual(before)
})

test('a refused token touches no counter in Postgres, and no name of an owner stands there', async () => {
  const before = await counts()
  const owner = await here.newOwner({ exp: 1 })
  expect((await owner.call('/me')).status).toBe(401)
  expect(await counts()).toEqual(before)
  for (const { key } of before) expect(key).toMatch(/^[0-9a-f]{64}$/)
})

/** One counter of two requests a minute, on a clock of its own. */
function counterOn(windows: RateWindows) {
  const lines: { event: string }[] = []
  let clock = 0
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const counter = sharedCounter({ points: 2, duration: 60 }, windows, { log, now: () => clock })
  return {
    events: () => lines.map(({ event }) => event),
    later: (ms: number) => {
      clock += ms
    },
    take: (key: string) =>
      counter.consume(key).then(
        () => 'let through',
        (refused) => (refused instanceof RateLimiterRes ? 'refused' : Promise.reject(refused)),
      ),
  }
}

test('while counts are stuck in Postgres, one request finds out for all, and no more of them pile up there', async () => {
  const lock = new pg.Client({ connectionString: database.url })
  await lock.connect()
  const windows = openRateWindows(database.url)
  const stuck = () =>
    admin(
      database.url,
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'rate_windows'",
    )
  try {
    await lock.query('begin; lock table docket.rate_windows in access exclusive mode')
    const { take, later, events } = counterOn(windows)
    // By the time the first is given up, all that came with it are counted here.
    expect(await take(randomUUID())).toBe('let through')
    for (let second = 0; second < 2; second++) {
      later(1_000)
      const finder = take(randomUUID())
      expect(await Promise.all([1, 2, 3].map(() => take(randomUUID())))).toEqual(Array(3).fill('let through'))
      expect(await finder).toBe('let through')
    }
    expect(await stuck()).toHaveLength(2)
    expect(events()).toEqual(['rate_store_lost'])
    await lock.query('rollback')
    await vi.waitUntil(async () => (await stuck()).length === 0)
    later(1_000)
    await take(randomUUID())
    expect(events()).toEqual(['rate_store_lost', 'rate_store_back'])
  } finally {
    await lock.end()
    await windows.close()
  }
})

test('idle connections of the counter that drop are no loss', async () => {
  const proxy = await startProxy(database.url)
  const windows = openRateWindows(proxy.url)
  try {
    const { take, events } = counterOn(windows)
    const ann = randomUUID()
    expect(await Promise.all([take(ann), take(randomUUID())])).toEqual(['let through', 'let through'])
    const accepted = proxy.accepted()
    expect(accepted).toBe(2)
    // Nobody has heard of it yet when the next request is counted.
    proxy.cut()
    expect(await take(ann)).toBe('let through')
    expect(await take(ann)).toBe('refused')
    expect(proxy.accepted()).toBe(accepted + 1)
    expect(events()).toEqual([])
  } finally {
    await windows.close()
    await proxy.close()
  }
})

test('while Postgres cannot count, each process does, says so once, and goes back to it', async () => {
  const proxy = await startProxy(database.url)
  const windows = openRateWindows(proxy.url)
  try {
    const { take, later, events } = counterOn(windows)
    const [first, second] = [randomUUID(), randomUUID()]
    expect(await take(first)).toBe('let through')
    await proxy.refuse()
    expect([await take(second), await take(second), await take(second)]).toEqual([
      'let through',
      'let through',
      'refused',
    ])
    later(1_000)
    expect(await take(first)).toBe('let through')
    expect(events()).toEqual(['rate_store_lost'])
    await proxy.resume()
    const accepted = proxy.accepted()
    await take(randomUUID())
    expect(proxy.accepted()).toBe(accepted)
    later(1_000)
    expect([await take(first), await take(first)]).toEqual(['let through', 'refused'])
    expect(events()).toEqual(['rate_store_lost', 'rate_store_back'])
  } finally {
    await windows.close()
    await proxy.close()
  }
})
