import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Answer } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { visible } from '../support/documented-api.ts'
import { answerJson } from '../support/key-endpoint.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { openRawConnection } from '../support/raw-connection.ts'
import { emptySets, type Fault, type FaultyApi, faults, openFaultyApi } from './faulty-endpoint.ts'
import { seconds } from './signer.ts'

let postgres: FreshDatabase
let database: TcpProxy
const opened: FaultyApi[] = []

beforeAll(async () => {
  postgres = await freshDatabase()
  database = await startProxy(postgres.url)
})
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: seconds * 1000 })
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  vi.useRealTimers()
})
afterAll(async () => {
  await database.close()
  await postgres.drop()
})

const second = 1000
const minute = 60 * second
const later = (ms: number) => vi.setSystemTime(Date.now() + ms)

async function open(fault?: Fault): Promise<FaultyApi> {
  const one = await openFaultyApi(database.url, fault)
  opened.push(one)
  return one
}

const readiness = (keys: boolean) => ({
  status: keys ? 'ok' : 'unavailable',
  database: true,
  isolation: true,
  keys,
  serving: true,
})
let refused: object | undefined

/** One answer for whatever is wrong with the keys: the same bytes but for when to try again. */
function expectUnavailable(answer: Answer, retryAfter = '1'): void {
  expect(answer.status).toBe(503)
  expect(answer.json().code).toBe('unavailable')
  expect(answer.headers.get('retry-after')).toBe(retryAfter)
  expect(answer.headers.has('www-authenticate')).toBe(false)
  const { headers, ...rest } = visible(answer)
  const seen = { ...rest, headers: { ...headers, 'retry-after': '…' } }
  refused ??= seen
  expect(seen).toEqual(refused)
}

describe('a key set whose address', () => {
  test.each(faults)('$fault from the start: 503 until it is there', async (fault) => {
    const one = await open(fault)
    const flights = database.flights()
    expectUnavailable(await one.get('/api/v1/tasks', await one.issuer.token()))
    expectUnavailable(await one.get('/api/v1/me', await one.issuer.token()))
    expect((await one.api.call('/readyz')).json()).toEqual(readiness(false))
    expect(await one.verdict('no.token')).toBe('401 invalid_token')
    expect((await one.api.call('/api/v1/tasks')).status).toBe(401)
    expect((await one.api.call('/livez')).status).toBe(200)
    expect(one.reasons()).toEqual([fault.reason])
    expect(one.endpoint.requests()).toBe(fault.answer === undefined ? 0 : 1)
    expect(database.flights()).toBe(flights)

    await one.repair()
    later(second)
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    expect((await one.api.call('/readyz')).json()).toEqual(readiness(true))
  })

  test.each(faults)('$fault later: the known keys go on', async (fault) => {
    const one = await open()
    const seen = await one.issuer.token()
    expect(await one.verdict(seen)).toBe('200')
    await one.breakBy(fault)
    later(5 * minute)
    expect(await one.verdict(seen)).toBe('200')
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    if (!fault.slow) await expect.poll(one.reasons, { timeout: 10_000 }).toEqual([fault.reason])
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    expect((await one.api.call('/readyz')).json()).toEqual(readiness(true))
    expect(one.endpoint.requests()).toBe(fault.answer === undefined ? 1 : 2)
  })

  test('is still out of reach after 24 hours: 503, for tokens seen before too', async () => {
    const one = await open()
    const seen = await one.issuer.token({ exp: seconds + 3 * 86_400 })
    expect(await one.verdict(seen)).toBe('200')
    await one.breakBy({ fault: 'refuses connections', reason: 'unreachable' })
    later(24 * 60 * minute - 1)
    expect(await one.verdict(seen)).toBe('200')
    later(1)
    expectUnavailable(await one.get('/api/v1/tasks', seen), '2')
    expectUnavailable(await one.get('/api/v1/tasks', await one.issuer.token()), '2')
    expect((await one.api.call('/readyz')).json()).toEqual(readiness(false))
  })

  test.each(emptySets)('answers a set of $set: 503 from the start and later', async ({ answer }) => {
    const fault = { fault: '', reason: 'no_usable_key', answer }
    const never = await open(fault)
    expectUnavailable(await never.get('/api/v1/tasks', await never.issuer.token()))
    const once = await open()
    const seen = await once.issuer.token()
    expect(await once.verdict(seen)).toBe('200')
    await once.breakBy(fault)
    later(6 * minute)
    expect(await once.verdict(await once.issuer.token())).toBe('503 unavailable')
    expect(await once.verdict(seen)).toBe('503 unavailable')
    for (const one of [never, once]) {
      expect(one.reasons()).toEqual(['no_usable_key'])
      expect((await one.api.call('/readyz')).json()).toEqual(readiness(false))
    }
  })
})

describe('a key that', () => {
  test('is new beside the old one is taken at once, and the old one still counts', async () => {
    const one = await open()
    const old = await one.issuer.token()
    expect(await one.verdict(old)).toBe('200')
    one.issuer.rotate()
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    expect(await one.verdict(old)).toBe('200')
    expect(one.endpoint.requests()).toBe(2)
  })

  test('left the set is worth nothing from the next refresh on, its seen tokens neither', async () => {
    const one = await open()
    const [seen, unseen] = [await one.issuer.token(), await one.issuer.token()]
    expect(await one.verdict(seen)).toBe('200')
    one.issuer.rotate({ keepOld: false })
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    for (const token of [seen, unseen]) expect(await one.verdict(token)).toBe('401 invalid_token')
  })

  test('takes the name of another is taken at once, and the other is worth nothing', async () => {
    const one = await open()
    const [seen, unseen] = [await one.issuer.token(), await one.issuer.token()]
    expect(await one.verdict(seen)).toBe('200')
    one.issuer.rotate({ reuseKid: true })
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    for (const token of [seen, unseen]) expect(await one.verdict(token)).toBe('401 invalid_token')
    expect(one.endpoint.requests()).toBe(2)
  })
})

describe('the number of fetches', () => {
  /** As many requests at once, on a few connections. */
  async function burst(url: string, tokens: readonly string[]): Promise<number[]> {
    const requests = tokens.map(
      (token) => `GET /api/v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
    const connections = Array.from({ length: 10 }, () => openRawConnection(url))
    const share = Math.ceil(requests.length / connections.length)
    const answers = await Promise.all(
      connections.map((each, at) => each.pipeline(requests.slice(at * share, (at + 1) * share))),
    )
    for (const each of connections) each.close()
    return answers.flat().map(({ status }) => status)
  }
  const tokensOf = ({ issuer }: FaultyApi, count: number, header: (n: number) => object = () => ({})) =>
    Promise.all(Array.from({ length: count }, (_, n) => issuer.token({}, { ...header(n) })))

  test('is one for 1,000 first requests at once', async () => {
    const one = await open({ fault: '', reason: '', answer: (_, response) => response.destroy() })
    const tokens = await tokensOf(one, 1000)
    expect(await one.verdict(tokens[0] ?? '')).toBe('503 unavailable')
    const keys = await (await fetch(one.issuer.url)).text()
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    one.endpoint.answerWith(async (_, response) => {
      asked.resolve()
      await answer.promise
      answerJson(response, keys)
    })
    later(second)
    const statuses = burst(one.api.url, tokens)
    await asked.promise
    // This request was sent behind the others, so they are there when it is answered.
    await one.api.call('/livez')
    answer.resolve()
    expect(new Set(await statuses)).toEqual(new Set([200]))
    expect(await statuses).toHaveLength(1000)
    expect(one.endpoint.requests()).toBe(2)
  })

  test.each([
    { state: 'there', everyMs: 2 * second, status: 401 },
    { state: 'down', everyMs: 30 * second, status: 503 },
  ])('is one in $everyMs ms for a flood of unknown keys while it is $state', async ({ state, ...row }) => {
    const one = await open()
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    if (state === 'down') one.endpoint.answerWith((_, response) => response.destroy())
    const flights = database.flights()
    const flood = async () =>
      new Set(await burst(one.api.url, await tokensOf(one, 300, (n) => ({ kid: `unknown-${n}` }))))
    for (const [wait, requests, status] of [
      [0, 2, 401],
      [row.everyMs - 1, 2, 503],
      [1, 3, row.status],
    ] as const) {
      later(wait)
      expect(await flood()).toEqual(new Set([status]))
      expect(one.endpoint.requests()).toBe(requests)
    }
    expect(database.flights()).toBe(flights)
    expect(await one.verdict(await one.issuer.token())).toBe('200')
  })

  test('leaves a good token waiting for 2 s at most, whoever sends made-up key ids: 503, then 200', async () => {
    const one = await open()
    expect(await one.verdict(await one.issuer.token())).toBe('200')
    const [made = ''] = await tokensOf(one, 1, () => ({ kid: 'made-up' }))
    expect(await one.verdict(made)).toBe('401 invalid_token')
    later(1)
    one.issuer.rotate()
    expectUnavailable(await one.get('/api/v1/tasks', await one.issuer.token()), '2')
    later(2 * second - 1)
    expect(await one.verdict(await one.issuer.token())).toBe('200')
  })

  test('is one in 2 s for a flood of bad signatures under a known key', async () => {
    const one = await open()
    const [token = ''] = await tokensOf(one, 1)
    expect(await one.verdict(token)).toBe('200')
    const forged = Array.from({ length: 300 }, (_, n) =>
      token.replace(/[^.]*$/, Buffer.alloc(64, n).toString('base64url')),
    )
    expect(new Set(await burst(one.api.url, forged))).toEqual(new Set([401]))
    expect(one.endpoint.requests()).toBe(2)
  })
})
