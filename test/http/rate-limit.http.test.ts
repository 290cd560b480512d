import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { checksPerSecond } from '../../src/auth/signature-budget.ts'
import { withSignature } from '../attack/attack.ts'
import { startApi, type TestApi } from '../support/api.ts'

let api: TestApi
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  api = await startApi({ RATE_LIMIT: '3', RATE_LIMIT_ADDRESS: '4', TRUSTED_PROXIES: '127.0.0.0/8' })
})
afterAll(async () => {
  await api.close()
  vi.useRealTimers()
})

let lastOctet = 0
/** An address nobody else in this file has. */
const from = (address = `192.0.2.${++lastOctet}`) => ({ 'x-forwarded-for': address })

const wronglySigned = (token: string) => withSignature(token, (signature) => signature.fill(7, 0, 8))

test('an owner who asks too often is told how long to wait, and nobody else notices', async () => {
  const [ann, bob] = [await api.newOwner(), await api.newOwner()]
  const answers = []
  for (let i = 0; i < 4; i++) answers.push(await ann.call('/tasks', { headers: from() }))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
  expect(answers[0]?.headers.get('ratelimit')).toBe('"owner";r=2;t=60')
  expect(answers[0]?.headers.get('ratelimit-policy')).toBe('"owner";q=3;w=60')
  const refused = answers[3]
  expect(refused?.json().code).toBe('rate_limited')
  expect(refused?.headers.get('ratelimit')).toMatch(/^"owner";r=0;t=\d+$/)
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await bob.call('/tasks', { headers: from() })).status).toBe(200)
})

test('an address that sends bad tokens is refused as such beyond its limit', async () => {
  const headers = { ...from(), authorization: 'Bearer a.b.c' }
  const statuses = []
  for (let i = 0; i < 6; i++) statuses.push((await api.call('/api/v1/tasks', { headers })).status)
  expect(statuses).toEqual([401, 401, 401, 401, 429, 429])
})

test('good tokens do not count against their address, and pass where bad ones are stopped, known or not', async () => {
  const headers = from()
  const known = await api.newOwner()
  expect((await known.call('/me', { headers })).status).toBe(200)
  for (let i = 0; i < 5; i++) expect((await (await api.newOwner()).call('/me', { headers })).status).toBe(200)
  for (let i = 0; i < 5; i++) await api.call('/api/v1/me', { headers })
  expect((await known.call('/me', { headers })).status).toBe(200)
  for (let i = 0; i < 5; i++) expect((await (await api.newOwner()).call('/me', { headers })).status).toBe(200)
  expect((await api.call('/api/v1/me', { headers })).status).toBe(429)
})

describe('an address beyond its limit', () => {
  /** What it is answered with for this token, or for none. */
  const answered = async (token?: string) => {
    const headers = { ...from(), ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    for (let i = 0; i < 4; i++) await api.call('/api/v1/me', { headers: { ...headers, authorization: '' } })
    const { status, headers: sent, json } = await api.call('/api/v1/me', { headers })
    return { status, code: json().code, retryAfter: Number(sent.get('retry-after')) }
  }
  const limited = { status: 429, code: 'rate_limited', retryAfter: expect.toSatisfy((value) => value > 0) }

  test.each<[what: string, token: () => Promise<string | undefined> | string | undefined]>([
    ['no token', () => undefined],
    ['no JWT', () => 'abc'],
    ['one of another issuer', () => api.issuer.token({ iss: 'https://elsewhere.example' })],
    ['one of another algorithm', () => api.issuer.token({}, { alg: 'RS256' })],
    ['one of an unknown key', () => api.issuer.token({}, { kid: 'unknown' })],
    ['one with a wrong signature', async () => wronglySigned(await api.issuer.token())],
    ['one for another audience', () => api.issuer.token({ aud: 'https://elsewhere.example' })],
  ])('is refused as such with %s', async (_what, token) => {
    expect(await answered(await token())).toEqual(limited)
  })

  test('is told that a genuine token has expired, since its owner has to fetch another', async () => {
    expect(await answered(await api.issuer.token({ exp: 1 }))).toMatchObject({
      status: 401,
      code: 'token_expired',
    })
  })

  test('floods the process with wrong signatures up to a budget; who is within their limit does not notice', async () => {
    const headers = from()
    const token = wronglySigned(await api.issuer.token())
    const flood = () => api.call('/api/v1/me', { headers: { ...headers, authorization: `Bearer ${token}` } })
    for (let i = 0; i < checksPerSecond / 10; i++) await Promise.all(Array.from({ length: 10 }, flood))
    const refused = await (await api.newOwner()).call('/me', { headers })
    expect([refused.status, refused.json().code]).toEqual([429, 'rate_limited'])
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await (await api.newOwner()).call('/me', { headers: from() })).status).toBe(200)
    vi.setSystemTime(Date.now() + 1_000)
    expect((await (await api.newOwner()).call('/me', { headers })).status).toBe(200)
  })

  test('is in the log once a minute, when something was refused, by a digest that cannot be undone', async () => {
    const address = '192.0.2.222'
    const headers = from(address)
    const noted = () =>
      api
        .logged()
        .split('\n')
        .filter((line) => line.includes('"event":"rate_limited"'))
        .map((line) => JSON.parse(line))
    const before = noted().length
    for (let i = 0; i < 4; i++) await api.call('/api/v1/me', { headers })
    for (let i = 0; i < 3; i++) {
      await (await api.newOwner()).call('/me', { headers })
      expect(noted()).toHaveLength(before)
    }
    for (let i = 0; i < 3; i++) {
      await api.call('/api/v1/me', { headers })
      await (await api.newOwner()).call('/me', { headers })
    }
    expect(noted().slice(before)).toMatchObject([{ limit: 'address' }])
    expect(noted().at(-1).caller).not.toBe(hash('sha256', address).slice(0, 12))
  })
})

test('what a stranger writes before the address of the proxy does not make a new caller of them', async () => {
  const mine = '192.0.2.200'
  const statuses = []
  for (let i = 0; i < 6; i++)
    statuses.push((await api.call('/api/v1/me', { headers: from(`10.0.0.${i}, ${mine}`) })).status)
  expect(statuses.at(-1)).toBe(429)
})

test('health and documentation are never limited', async () => {
  const headers = from()
  for (let i = 0; i < 6; i++) await api.call('/api/v1/me', { headers })
  expect((await api.call('/livez', { headers })).status).toBe(200)
  expect((await api.call('/openapi.json', { headers })).status).toBe(200)
})
