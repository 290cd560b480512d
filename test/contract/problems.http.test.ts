import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorCodes } from '../../src/errors.ts'
import { problemKinds, problemType } from '../../src/http/answer/problem.ts'
import type { Answer, Call, Caller, TestApi } from '../support/api.ts'
import { expectDocumented, startDocumentedApi } from '../support/documented-api.ts'
import { rawExchange } from '../support/raw-exchange.ts'

let api: TestApi
let ann: Caller
let expired: string
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
  const now = Math.floor(Date.now() / 1000)
  expired = await api.issuer.token({ iat: now - 1000, exp: now - 100 })
})
afterAll(() => api.close())

const invalid = /^Bearer realm="[^"]+", error="invalid_token", error_description="[^"]+"$/

describe('the error table', () => {
  test.each<
    [
      status: number,
      code: string,
      when: string,
      call: () => Promise<Answer>,
      headers?: Record<string, RegExp>,
    ]
  >([
    [400, 'malformed_request', 'unreadable JSON', () => ann.call('/tasks', { body: '{"title":' })],
    [400, 'malformed_request', 'bad percent-encoding', () => ann.call('/tasks/%zz')],
    [
      401,
      'unauthenticated',
      'no token',
      () => api.call('/api/v1/tasks'),
      { 'www-authenticate': /^Bearer realm="[^"]+"$/ },
    ],
    [401, 'invalid_token', 'no good token', () => bearing('x.y.z'), { 'www-authenticate': invalid }],
    [401, 'token_expired', 'an old token', () => bearing(expired), { 'www-authenticate': invalid }],
    [
      403,
      'forbidden',
      'another owner in the body',
      () => ann.call('/tasks', { body: { title: 'x', owner_id: 'y' } }),
    ],
    [404, 'not_found', 'no such task', () => ann.call(`/tasks/${crypto.randomUUID()}`)],
    [404, 'not_found', 'no such path', () => ann.call('/nope')],
    [
      405,
      'method_not_allowed',
      'no such method',
      () => ann.call('/tasks', { method: 'PUT' }),
      { allow: /^GET, HEAD, POST$/ },
    ],
    [
      413,
      'payload_too_large',
      'a long body',
      () => ann.call('/tasks', { body: { title: 'x'.repeat(256_000) } }),
    ],
    [
      415,
      'unsupported_media_type',
      'no JSON',
      () => ann.call('/tasks', { body: 'title=x', headers: { 'content-type': 'text/plain' } }),
    ],
    [422, 'validation_failed', 'a wrong field', () => ann.call('/tasks', { body: { title: '' } })],
  ])('%d %s: %s', async (status, code, _, call, headers = {}) => {
    const answer = await call()
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const body = answer.json()
    expect(Object.keys(body)).toEqual([
      'type',
      'title',
      'status',
      'code',
      'detail',
      ...(code === 'validation_failed' ? ['errors'] : []),
      'request_id',
    ])
    expect(body).toMatchObject({ code, status, request_id: answer.headers.get('x-request-id') })
    expect(body.detail).toMatch(/^[A-Za-z].*[a-z.]$/)
    for (const name of ['www-authenticate', 'allow', 'retry-after'])
      if (headers[name]) expect(answer.headers.get(name)).toMatch(headers[name])
      else expect(answer.headers.has(name), name).toBe(false)
    expect(Buffer.byteLength(answer.text)).toBeLessThan(1000)
  })

  test.each(errorCodes)('the type of %s leads to a page that explains it', async (code) => {
    const page = await api.call(problemType(code))
    expect(page.status).toBe(200)
    expect(page.text).toContain(`${problemKinds[code].status}`)
    expect(page.text).toContain(code)
    expect((await api.call(`/problems/${code}`)).text).toBe(page.text)
  })

  test('a name that mixes the two spellings has no page: names are looked up and not rewritten, however long', async () => {
    for (const name of ['method-not_allowed', 'method_not-allowed', '-'.repeat(15_000), '_'.repeat(15_000)])
      expect((await api.call(`/problems/${name}`)).status).toBe(404)
  })

  test('two Authorization headers are 400, whatever they say', async () => {
    const bearer = `Authorization: Bearer ${ann.token}\r\n`
    for (const second of [bearer, 'Authorization: Basic eDp5\r\n', 'authorization:\r\n']) {
      const answer = await rawExchange(
        api.url,
        `GET /api/v1/me HTTP/1.1\r\nHost: x\r\n${bearer}${second}Connection: close\r\n\r\n`,
      )
      expectDocumented('GET', '/api/v1/me', answer)
      expect([answer.status, answer.json().code]).toEqual([400, 'malformed_request'])
    }
  })

  test('another scheme than Bearer is 401 without an error code; the scheme has no case', async () => {
    for (const authorization of ['Basic eDp5', 'Digest x', ann.token, '']) {
      const answer = await api.call('/api/v1/me', { headers: { authorization } })
      expect([answer.status, answer.json().code]).toEqual([401, 'unauthenticated'])
    }
    expect((await api.call('/api/v1/me', { headers: { authorization: `bEARER ${ann.token}` } })).status).toBe(
      200,
    )
  })
})

function bearing(token: string): Promise<Answer> {
  return api.call('/api/v1/tasks', { headers: { authorization: `Bearer ${token}` } })
}

describe('nothing of a request comes back or reaches the log', () => {
  const canary = 'c4n4ry'
  const places: [place: string, path: string, call: Call][] = [
    ['the path', `/${canary}`, {}],
    ['an id', `/tasks/${canary}`, {}],
    ['an id of PUT', `/tasks/${canary}`, { method: 'PUT', body: { title: 'x' } }],
    ['an id of PATCH', `/tasks/${canary}`, { method: 'PATCH', body: {} }],
    ['an unknown parameter', `/tasks?x=${canary}`, {}],
    ['a query that is wrong', `/tasks?limit=${canary}`, {}],
    ['a query that is broken', `/tasks?limit=${canary}%zz`, {}],
    ['a title of the wrong type', '/tasks', { body: { title: { [canary]: canary } } }],
    ['a title that is too long', '/tasks', { body: { title: canary.repeat(50) } }],
    ['a description', '/tasks', { body: { title: '', description: canary } }],
    ['a status', '/tasks', { body: { title: 'x', status: canary } }],
    ['an owner', '/tasks', { body: { title: 'x', owner_id: canary } }],
    ['a value of an unknown field', '/tasks', { body: { title: 'x', extra: canary } }],
    ['an unknown field of harmful name', '/tasks', { body: { title: 'x', [`<${canary}>`]: 1 } }],
    ['JSON that breaks off', '/tasks', { body: `{"title":"${canary}` }],
    ['text that is no JSON', '/tasks', { body: canary }],
    ['bytes that are no UTF-8', '/tasks', { body: Buffer.from(`"${canary}\xff"`, 'latin1') }],
    ['a long body', '/tasks', { body: canary.repeat(20_000) }],
    ['Content-Type', '/tasks', { body: '{}', headers: { 'content-type': `text/${canary}` } }],
    [
      'its charset',
      '/tasks',
      { body: '{}', headers: { 'content-type': `application/json; charset=${canary}` } },
    ],
    ['Content-Encoding', '/tasks', { body: '{}', headers: { 'content-encoding': canary } }],
    ['Authorization', '/tasks', { headers: { authorization: `Bearer ${canary}` } }],
    ['a token', '/tasks', { headers: { authorization: `Bearer ${btoa(canary)}.${btoa(canary)}.${canary}` } }],
    ['another scheme', '/tasks', { headers: { authorization: `${canary} ${canary}` } }],
    ['X-Request-Id', '/nope', { headers: { 'x-request-id': `"${canary}"` } }],
    ['Origin', '/tasks', { headers: { origin: `https://${canary}.example` } }],
    [
      'what a proxy says',
      '/nope',
      { headers: { 'x-forwarded-for': canary, 'x-forwarded-host': canary, forwarded: canary } },
    ],
    [
      'headers of all kinds',
      '/nope',
      {
        headers: {
          accept: canary,
          'user-agent': canary,
          referer: canary,
          cookie: canary,
          [`x-${canary}`]: canary,
        },
      },
    ],
    [
      'a preflight',
      '/tasks',
      {
        method: 'OPTIONS',
        headers: {
          origin: canary,
          'access-control-request-method': canary,
          'access-control-request-headers': canary,
        },
      },
    ],
  ]

  test.each(places)('from %s', async (_, path, call) => {
    const answer = await ann.call(path, call)
    const seen = `${answer.text}\n${[...answer.headers]}`.toLowerCase()
    expect(seen).not.toContain(canary)
    expect(seen).not.toContain(btoa(canary).toLowerCase())
  })

  test('and a task that is written is in no log, nor is its owner, its id or the token', async () => {
    const owner = await api.newOwner({ sub: `${canary}-owner`, name: canary, email: `${canary}@example.com` })
    const made = await owner.call('/tasks', { body: { title: canary, description: canary } })
    const { id } = made.json()
    await owner.call(`/tasks/${id}`, { method: 'PUT', body: { title: canary } })
    await owner.call(`/tasks/${id}`, { method: 'PATCH', body: { description: canary } })
    await owner.call(`/tasks/${id}`, { method: 'DELETE' })
    for (const secret of [
      canary,
      String(id),
      owner.token,
      owner.token.split('.')[2] ?? '',
      ann.id,
      ann.token,
    ])
      expect(api.logged()).not.toContain(secret)
  })

  test('while every request has its line there, with what it was', async () => {
    await ann.call('/tasks/x', { headers: { 'x-request-id': 'to-be-found' } })
    const line =
      api
        .logged()
        .split('\n')
        .find((each) => each.includes('to-be-found')) ?? ''
    expect(JSON.parse(line)).toMatchObject({
      event: 'request',
      request_id: 'to-be-found',
      method: 'GET',
      route: '/api/v1/tasks/:id',
      status: 404,
      code: 'not_found',
      duration_ms: expect.any(Number),
      owner: expect.stringMatching(/^[0-9a-f]{12}$/),
    })
  })
})
