import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApi, type TestApi } from '../support/api.ts'
import { faultsOfLog } from '../support/log-check.ts'

let api: TestApi
/** As it runs in production: repeats are summed up. */
let brief: TestApi
beforeAll(async () => {
  api = await startApi({ RATE_LIMIT: '45' })
  brief = await startApi({ LOG_LEVEL: 'info' })
})
afterAll(() => api.close())

const logged = () =>
  api
    .logged()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
const ofKind = (event: string) => logged().filter((line) => line.event === event)

test('a request is one line, with the owner as a digest and the route as a pattern', async () => {
  const ann = await api.newOwner()
  const headers = { 'x-request-id': 'one-line' }
  await ann.call('/tasks/0199d5f2-6c5a-7d41-9c8e-3f2a1b4c5d6e?secret=hidden-in-the-query', { headers })
  const lines = logged().filter((line) => line.request_id === 'one-line')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ event: 'request', method: 'GET', status: 422, code: 'validation_failed' })
  expect(lines[0]?.route).toBe('/api/v1/tasks/:id')
  expect(lines[0]?.owner).toMatch(/^[0-9a-f]{12}$/)
  expect(api.logged()).not.toContain('hidden-in-the-query')
})

test('a refused token is one line: reason, digest of the key id and advice; at the level debug also each time it comes again', async () => {
  const old = await api.newOwner({ exp: Math.floor(Date.now() / 1000) - 60 })
  const before = logged().length
  for (let i = 0; i < 3; i++) await old.call('/tasks')
  const after = logged().slice(before)
  expect(after).toHaveLength(3)
  for (const line of after) {
    expect(line).toMatchObject({ event: 'request', status: 401, code: 'token_expired', reason: 'expired' })
    expect(line.kid).toMatch(/^[0-9a-f]{12}$/)
    expect(line.advice).toContain('15 minutes')
  }
})

test('outside production the sender of a refused token is told the advice of the log', async () => {
  const bearing = (token: string) =>
    api.call('/api/v1/me', { headers: { authorization: `Bearer ${token}`, 'x-request-id': 'advised' } })
  const foreign = await api.issuer.token({ aud: 'https://other.example' })
  const expired = await api.issuer.token({ exp: Math.floor(Date.now() / 1000) - 60 })
  for (const [token, sentence] of [
    ['session-token-of-better-auth', 'The token was not accepted; sign in again to get another one.'],
    [foreign, 'The token was not accepted; sign in again to get another one.'],
    [expired, 'The token has expired; get a fresh one from the sign-in server and repeat the request.'],
  ] as const) {
    const { status, ...answer } = await bearing(token)
    const line = logged().findLast(({ request_id }) => request_id === 'advised')
    expect(status).toBe(401)
    expect(line?.advice).toMatch(/\w/)
    expect(answer.json().detail).toBe(`${sentence} ${line?.advice}`)
  }
})

test('at the level info repeats are summed up, none is lost, and what is pending is told at the end', async () => {
  const old = await brief.newOwner({ exp: 1 })
  const ann = await brief.newOwner()
  for (let i = 0; i < 20; i++) {
    await old.call('/tasks')
    await brief.call('/livez')
    await ann.call('/tasks', { body: { title: 'One of many' } })
  }
  await brief.close()
  const lines: Record<string, unknown>[] = brief
    .logged()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const told = (kind: Record<string, unknown>) => {
    const those = lines.filter((line) => Object.entries(kind).every(([name, value]) => line[name] === value))
    const written = those.filter(({ event }) => event === 'request').length
    return { written, counted: those.reduce((sum, { count }) => sum + Number(count ?? 0), 0) }
  }
  for (const kind of [{ reason: 'expired' }, { route: '/livez' }]) {
    const { written, counted } = told(kind)
    expect(written + counted).toBe(20)
    expect(counted).toBeGreaterThan(0)
  }
  expect(told({ status: 201 })).toEqual({ written: 20, counted: 0 })
})

test('an owner who asks for many tasks that are not there is noted once', async () => {
  const eve = await api.newOwner()
  const before = ofKind('many_missing').length
  for (let i = 0; i < 40; i++) await eve.call(`/tasks/${crypto.randomUUID()}`)
  expect(ofKind('many_missing').slice(before)).toMatchObject([{ in_a_minute: 30 }])
})

test('a limit that is reached is noted once a window', async () => {
  const eve = await api.newOwner()
  const before = ofKind('rate_limited').length
  for (let i = 0; i < 50; i++) await eve.call('/me')
  expect(ofKind('rate_limited').slice(before)).toMatchObject([{ limit: 'owner' }])
})

test('the check that every suite ends with finds what does not belong', () => {
  const line = (fields: object) =>
    `${JSON.stringify({ level: 30, time: 1, msg: 'm', event: 'database_back', ...fields })}\n`
  expect(faultsOfLog([line({})], new Set())).toEqual([])
  expect(faultsOfLog([line({ token: 'x' })], new Set())).toHaveLength(1)
  expect(faultsOfLog([line({ event: 'unheard_of' })], new Set())).toHaveLength(1)
  expect(faultsOfLog([line({ msg: 'about a secret title' })], new Set(['a secret title']))).toHaveLength(1)
})
