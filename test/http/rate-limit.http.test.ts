import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApi, type TestApi } from '../support/api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi({ RATE_LIMIT: '3', RATE_LIMIT_ADDRESS: '4', TRUSTED_PROXIES: '127.0.0.0/8' })
})
afterAll(() => api.close())

let lastOctet = 0
/** An address nobody else in this file has. */
const from = (address = `192.0.2.${++lastOctet}`) => ({ 'x-forwarded-for': address })

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

test('an address that sends bad tokens is stopped before its tokens are looked at', async () => {
  const headers = { ...from(), authorization: 'Bearer a.b.c' }
  const statuses = []
  for (let i = 0; i < 6; i++) statuses.push((await api.call('/api/v1/tasks', { headers })).status)
  expect(statuses).toEqual([401, 401, 401, 401, 429, 429])
})

test('good tokens do not count against their address, and known ones pass where new ones are stopped', async () => {
  const headers = from()
  const known = await api.newOwner()
  expect((await known.call('/me', { headers })).status).toBe(200)
  for (let i = 0; i < 5; i++) expect((await (await api.newOwner()).call('/me', { headers })).status).toBe(200)
  for (let i = 0; i < 5; i++) await api.call('/api/v1/me', { headers })
  expect((await known.call('/me', { headers })).status).toBe(200)
  expect((await (await api.newOwner()).call('/me', { headers })).status).toBe(429)
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
