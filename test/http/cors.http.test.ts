import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type Caller, startApi, type TestApi } from '../support/api.ts'
import { startDocumentedApi, visible } from '../support/documented-api.ts'
import { methodsByPath } from '../support/openapi-operations.ts'

const origin = 'https://app.example.com'
const other = 'http://localhost:3000'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startDocumentedApi({ CORS_ORIGINS: `${origin},${other}` })
  ann = await api.newOwner()
})
afterAll(() => api.close())

const corsHeaders = ({ headers }: Answer) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))
const list = (answer: Answer, name: string) => (answer.headers.get(name) ?? '').split(', ')
const preflight = (from: string, method: string, path = '/api/v1/tasks') =>
  api.call(path, {
    method: 'OPTIONS',
    headers: {
      origin: from,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,content-type',
    },
  })

describe('a configured origin', () => {
  test.each([origin, other])('%s may read the answer, and is named itself', async (from) => {
    const answer = await ann.call('/tasks', { headers: { origin: from } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('access-control-allow-origin')).toBe(from)
    expect(list(answer, 'access-control-expose-headers')).toEqual(
      expect.arrayContaining(['Location', 'X-Request-Id', 'WWW-Authenticate', 'Retry-After']),
    )
  })

  test('may read refusals too, or it could not know why', async () => {
    const refused = [
      await api.call('/api/v1/tasks', { headers: { origin } }),
      await ann.call('/tasks/x', { headers: { origin } }),
      await ann.call('/tasks', { headers: { origin }, body: { title: '' } }),
      await ann.call('/tasks', { headers: { origin }, body: '{' }),
      await ann.call('/tasks', { method: 'DELETE', headers: { origin } }),
      await ann.call('/nope', { headers: { origin } }),
    ]
    expect(refused.map(({ status }) => status)).toEqual([401, 404, 422, 400, 405, 404])
    for (const answer of refused) expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
  })

  test('is never told that cookies are welcome', async () => {
    for (const answer of [await ann.call('/tasks', { headers: { origin } }), await preflight(origin, 'GET')])
      expect(answer.headers.has('access-control-allow-credentials')).toBe(false)
  })

  test('has its preflight answered without a token, for every method there is', async () => {
    const methods = new Set(
      [...methodsByPath].filter(([path]) => path.startsWith('/api/')).flatMap(([, each]) => each),
    )
    for (const method of methods) {
      const answer = await preflight(origin, method)
      expect(answer.status).toBe(204)
      expect(answer.text).toBe('')
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
      expect(list(answer, 'access-control-allow-methods')).toContain(method)
    }
  })

  test('may send the headers that we use', async () => {
    const allowed = list(await preflight(origin, 'POST'), 'access-control-allow-headers')
    expect(allowed).toEqual(expect.arrayContaining(['Authorization', 'Content-Type', 'X-Request-Id']))
    expect(allowed).not.toContain('*')
  })
})

describe('any other origin', () => {
  test.each([
    'null',
    '*',
    'https://evil.example',
    `${origin}.evil.example`,
    `${origin}:444`,
    `${origin}/`,
    'http://app.example.com',
    'https://APP.example.com',
    'https://xapp.example.com',
    'https://appxexample.com',
    `${origin},${other}`,
    'http://localhost:3001',
    '',
  ])('%s is told nothing', async (from) => {
    const answers = [
      await ann.call('/tasks', { headers: { origin: from } }),
      await api.call('/api/v1/tasks', { headers: { origin: from } }),
      await preflight(from, 'GET'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 204])
    for (const answer of answers) {
      expect(corsHeaders(answer)).toEqual({})
      expect(list(answer, 'vary')).toContain('Origin')
    }
  })
})

describe('the log', () => {
  const refusals = (of: TestApi) =>
    of
      .logged()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .filter(({ event, reason }) => event === 'origin_refused' || reason === 'origin_refused')

  test('says of a refused origin what to do, and not which it was', async () => {
    const before = refusals(api).length
    await preflight('http://localhost:3001', 'GET')
    await ann.call('/tasks', { headers: { origin: 'https://evil.example' } })
    const lines = refusals(api).slice(before)
    const advice = expect.stringContaining('CORS_ORIGINS')
    expect(lines).toMatchObject([
      { level: 40, advice },
      { level: 40, advice },
    ])
    expect(JSON.stringify(lines)).not.toMatch(/3001|evil/)
  })

  test('says nothing of an allowed origin, nor of a page of this server or of a proxy on its own origin', async () => {
    const before = refusals(api).length
    await preflight(origin, 'GET')
    await ann.call('/tasks', { headers: { origin: api.url } })
    await ann.call('/tasks', { headers: { origin: api.url.replace('http:', 'https:') } })
    const headers = { origin: 'https://behind.example', 'sec-fetch-site': 'same-origin' }
    await ann.call('/tasks', { headers })
    expect(refusals(api).slice(before)).toEqual([])
  })

  test('of a flood of refused origins has one line in full and their number, each second', async () => {
    const brief = await startApi({ LOG_LEVEL: 'info' })
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'GET' }
    for (let i = 0; i < 30; i++) await brief.call('/api/v1/tasks', { method: 'OPTIONS', headers })
    await brief.close()
    const lines = refusals(brief)
    const counted = lines.reduce((sum, { count }) => sum + (count ?? 0), 0)
    const written = lines.filter(({ event }) => event === 'origin_refused').length
    expect(written + counted).toBe(30)
    expect(counted).toBeGreaterThan(0)
  })
})

test('Vary names Origin whether or not one was sent', async () => {
  for (const answer of [await ann.call('/tasks'), await ann.call('/tasks/x'), await api.call('/api/v1/me')])
    expect(list(answer, 'vary')).toContain('Origin')
})

test('an origin changes nothing else about an answer', async () => {
  const same = { 'x-request-id': 'same' }
  const plain = visible(await ann.call('/tasks/x', { headers: same }))
  const foreign = visible(
    await ann.call('/tasks/x', { headers: { ...same, origin: 'https://evil.example' } }),
  )
  expect(foreign).toEqual(plain)
})
