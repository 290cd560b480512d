import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type Caller, startApi, type TestApi } from '../support/api.ts'
import { methodsByPath, operations, pathOf } from '../support/openapi-operations.ts'
import { sayAndHear } from '../support/raw-socket.ts'

const origin = 'https://app.example.com'
const noContent = "default-src 'none'; frame-ancestors 'none'"

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startApi({ CORS_ORIGINS: origin })
  ann = await api.newOwner()
})
afterAll(() => api.close())

const id = '0199d5f2-6c5a-7d41-9c8e-3f2a1b4c5d6e'
const bearer = () => ({ authorization: `Bearer ${ann.token}` })

/** One answer of every kind there is, by what makes it. */
async function everyKind(): Promise<Record<string, Answer>> {
  const answers: Record<string, Answer> = {}
  for (const operation of operations) {
    const path = pathOf(operation, id)
    const call = { method: operation.method, headers: bearer() }
    answers[`${operation.method} ${path}`] = await api.call(path, call)
    answers[`${operation.method} ${path} without a token`] = await api.call(path, {
      method: operation.method,
    })
  }
  for (const path of methodsByPath.keys()) {
    const at = path.replaceAll(/\{\w+\}/g, id)
    answers[`PROPFIND ${path}`] = await api.call(at, { method: 'PROPFIND', headers: bearer() })
    answers[`OPTIONS ${path}`] = await api.call(at, { method: 'OPTIONS' })
  }
  answers.created = await ann.call('/tasks', { body: { title: 'x' } })
  answers.invalid = await ann.call('/tasks', { body: { title: '' } })
  answers['not JSON'] = await ann.call('/tasks', { body: '{' })
  answers['too large'] = await ann.call('/tasks', { body: 'x'.repeat(200_000) })
  answers['no JSON'] = await ann.call('/tasks', { method: 'POST', headers: { 'content-type': 'text/plain' } })
  answers['not found'] = await api.call('/nope')
  answers['not found in the API'] = await ann.call('/nope')
  answers['unreadable target'] = await ann.call('/tasks/%zz')
  answers.preflight = await api.call('/api/v1/tasks', {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  })
  const raw = [
    'hello\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
    'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET http://x/api/v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /api/v1/tasks HTTP/2.0\r\nHost: x\r\n\r\n',
  ]
  for (const bytes of raw) {
    const [answer] = await sayAndHear(api.url, bytes)
    if (answer) answers[JSON.stringify(bytes)] = answer
  }
  return answers
}

test('every answer of every kind says that it may not be kept, guessed at, framed or run, and tells origins apart', async () => {
  const answers = await everyKind()
  expect(Object.keys(answers).length).toBeGreaterThan(50)
  for (const [what, { headers, status, text }] of Object.entries(answers)) {
    expect(headers.get('cache-control'), what).toBe('no-store')
    expect(headers.get('x-content-type-options'), what).toBe('nosniff')
    expect(headers.get('vary'), what).toBe('Origin')
    expect(headers.get('x-request-id'), what).toMatch(/^[0-9a-f-]{36}$/)
    expect(headers.has('content-type'), what).toBe(status !== 204 && (text !== '' || status === 200))
    const policy = headers.get('content-security-policy')
    if (what.startsWith('GET /docs')) expect(policy).toMatch(/^default-src 'none'; script-src 'self'/)
    else expect(policy, what).toBe(noContent)
    for (const name of ['server', 'x-powered-by', 'strict-transport-security', 'set-cookie'])
      expect(headers.has(name), `${name} in ${what}`).toBe(false)
  }
})

describe('CORS', () => {
  test('a page of an allowed origin can read why its request was refused, whatever was wrong', async () => {
    const refused = [
      await ann.call('/tasks/%zz', { headers: { origin } }),
      await api.call('/api/v1/tasks/%zz', { headers: { origin } }),
      await api.call('/api/nope', { headers: { origin } }),
      ...(await sayAndHear(
        api.url,
        `GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\nHost: y\r\nOrigin: ${origin}\r\n\r\n`,
      )),
    ]
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 404, 400])
    for (const { headers } of refused) expect(headers.get('access-control-allow-origin')).toBe(origin)
  })

  test('a public page is not let into a private network', async () => {
    for (const from of [origin, 'https://evil.example']) {
      const { headers } = await api.call('/api/v1/tasks', {
        method: 'OPTIONS',
        headers: {
          origin: from,
          'access-control-request-method': 'GET',
          'access-control-request-private-network': 'true',
          'access-control-request-local-network': 'true',
        },
      })
      expect([...headers.keys()].filter((name) => name.endsWith('-network'))).toEqual([])
    }
  })

  test('two Origin headers are none, though both are allowed', async () => {
    const request = `GET /api/v1/me HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`
    const [answer] = await sayAndHear(api.url, request)
    expect(answer?.headers.has('access-control-allow-origin')).toBe(false)
  })

  test('what is not the API is read by no other origin', async () => {
    for (const path of ['/livez', '/openapi.json', '/docs', '/nope']) {
      const { headers } = await api.call(path, { headers: { origin } })
      expect(headers.has('access-control-allow-origin')).toBe(false)
    }
  })

  test('a preflight may be remembered for two hours', async () => {
    const { headers, status } = await api.call('/api/v1/tasks', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'DELETE' },
    })
    expect([status, headers.get('access-control-max-age')]).toEqual([204, '7200'])
  })
})
