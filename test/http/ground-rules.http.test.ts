import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, Caller, TestApi } from '../support/api.ts'
import { expectDocumented, expectProblem, startDocumentedApi, visible } from '../support/documented-api.ts'
import { bodyOf, methodsByPath, operations, pathOf } from '../support/openapi-operations.ts'
import { rawExchange } from '../support/raw-exchange.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

const bearer = () => ({ authorization: `Bearer ${ann.token}` })
const same = () => ({ ...bearer(), 'x-request-id': 'same' })
const ownTask = async () => String((await ann.call('/tasks', { body: { title: 'Here' } })).json().id)

test('`/` needs no token and says where everything is; each of these paths answers', async () => {
  const links = (await api.call('/')).json()
  expect(links).toEqual({ docs: '/docs', openapi: '/openapi.json', health: '/health', api: '/api/v1' })
  for (const path of [links.docs, links.openapi, links.health, `${links.api}/me`])
    expect((await api.call(String(path), { headers: bearer() })).status).toBe(200)
  expect((await api.call('/', { method: 'POST' })).headers.get('allow')).toBe('GET, HEAD')
})

describe('paths', () => {
  // `/` is nothing but its slash.
  test.each([...methodsByPath.keys()].filter((path) => path !== '/'))(
    '%s with a trailing slash is the same path',
    async (path) => {
      const id = await ownTask()
      const operation = operations.find((each) => each.path === path && each.method === 'GET')
      if (operation === undefined) throw new Error('a path that cannot be read')
      const plain = pathOf(operation, id)
      const slashed = await api.call(`${plain}/`, { headers: same() })
      expect(visible(slashed)).toEqual(visible(await api.call(plain, { headers: same() })))
      const refused = await api.call(`${plain}/`, { method: 'PROPFIND', headers: same() })
      expect(visible(refused)).toEqual(
        visible(await api.call(plain, { method: 'PROPFIND', headers: same() })),
      )
    },
  )

  test('a trailing slash changes nothing for writing', async () => {
    const made = await ann.call('/tasks/', { body: { title: 'One' } })
    expect(made.status).toBe(201)
    const id = String(made.json().id)
    expect(made.headers.get('location')).toBe(`/api/v1/tasks/${id}`)
    expect((await ann.call(`/tasks/${id}/`, { method: 'PATCH', body: { title: 'Two' } })).status).toBe(200)
    expect((await ann.call(`/tasks/${id}/`, { method: 'PUT', body: { title: 'Three' } })).status).toBe(200)
    expect((await ann.call(`/tasks/${id}/`, { method: 'DELETE' })).status).toBe(204)
  })

  test.each([
    '/nope',
    '/api',
    '/api/v1',
    '/api/v1/nope',
    '/api/v2/tasks',
    '/API/V1/tasks',
    '/api/v1/tasks//',
    '/api/v1//tasks',
    '//api/v1/tasks',
    '/api/v1/tasks/a/b',
    '/api/auth/token',
    '/livez/x',
    '/.env',
    '/openapi.yaml',
    '/openapiXjson',
    '/problems/none-such',
  ])('%s is 404 for every method', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      const body = ['POST', 'PUT', 'PATCH'].includes(method) ? { title: 'x' } : undefined
      if (path === '/problems/none-such' && method !== 'GET') continue
      const answer = await api.call(path, { method, headers: bearer(), body })
      expect(answer.status, method).toBe(404)
      if (method !== 'HEAD') expect(answer.json().code).toBe('not_found')
    }
  })

  test.each([
    '/api/v1/tasks/%',
    '/api/v1/tasks/%zz',
    '/api/v1/tasks/%E0%A4',
    '/api/v1/tasks/%ff',
    '/api/v1/tasks/%00',
    '/api/v1/tasks?limit=%',
    '/api/v1%2ftasks',
    '/livez?%c0%af',
  ])('%s cannot be read: 400', async (path) => {
    const answer = await api.call(path, { headers: bearer() })
    expect(answer.status).toBe(400)
    expect(answer.json().code).toBe('malformed_request')
  })

  test.each(['/api/v1/%2e%2e/livez', '/api/v1/tasks/%2E', '/api/v1/tasks/%5c'])(
    '%s is read as it is, not resolved: 400',
    async (path) => {
      const answer = await rawExchange(
        api.url,
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      )
      expect(answer.status).toBe(400)
    },
  )

  test('a percent-encoded letter is that letter', async () => {
    const id = await ownTask()
    const spelled = [...id].map((letter) => (letter === '-' ? '%2D' : letter)).join('')
    const answer = await api.call(`/api/v1/t%61sks/${spelled}`, { headers: same() })
    expect(answer.status).toBe(200)
    expect(answer.json().id).toBe(id)
    expect((await api.call(`/api/v1/t%61sks/${spelled}`)).status).toBe(401)
  })
})

describe('methods', () => {
  const readable = operations
    .filter(({ method }) => method === 'GET')
    .map((each) => ({ ...each, at: each.path }))

  test.each(readable)('HEAD $at has the status and headers of GET, and no body', async (operation) => {
    const path = pathOf(operation, await ownTask())
    const get = visible(await api.call(path, { headers: same() }))
    const head = visible(await api.call(path, { method: 'HEAD', headers: same() }))
    // RFC 9110, 9.3.2: what is only known when the content is made may be left out.
    const { 'content-length': _, ...headers } = get.headers
    expect(head).toEqual({ status: get.status, headers, text: '' })
  })

  test('HEAD is refused as GET is', async () => {
    const path = `/api/v1/tasks/${randomUUID()}`
    expect((await api.call(path, { method: 'HEAD' })).status).toBe(401)
    expect((await api.call(path, { method: 'HEAD', headers: bearer() })).status).toBe(404)
    expect((await ann.call('/tasks?limit=0', { method: 'HEAD' })).status).toBe(422)
  })

  test.each([...methodsByPath])(
    'OPTIONS %s lists the methods, needs no token and has no body',
    async (path, methods) => {
      const operation = operations.find((each) => each.path === path)
      const answer = await api.call(operation ? pathOf(operation, randomUUID()) : path, { method: 'OPTIONS' })
      expect(answer.status).toBe(204)
      expect(answer.text).toBe('')
      expect(answer.headers.get('allow')?.split(', ').toSorted()).toEqual(methods.toSorted())
    },
  )

  test('TRACE is 405 and sends nothing back', async () => {
    const { authorization } = bearer()
    const answer = await rawExchange(
      api.url,
      `TRACE /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nX-Canary: c4n4ry\r\nConnection: close\r\n\r\n`,
    )
    expect(answer.status).toBe(405)
    expectDocumented('TRACE', '/api/v1/tasks', answer)
    expect(answer.text).not.toContain('c4n4ry')
  })
})

describe('X-Request-Id', () => {
  test.each(['a', 'x'.repeat(128), '01J8Z3K9-abc_DEF.9~:/+=@'])('%s is kept', async (id) => {
    for (const path of ['/livez', '/nope', '/api/v1/tasks']) {
      const answer = await api.call(path, { headers: { 'x-request-id': id } })
      expect(answer.headers.get('x-request-id')).toBe(id)
    }
  })

  test.each([
    ['too long', 'x'.repeat(129)],
    ['with a space', 'a b'],
    ['with markup', '<script>'],
    ['with quotes', `a"b'c`],
    ['empty', ''],
    ['not ASCII', 'caf\u00e9'],
    ['made for a log', 'a%0d%0aevil'],
    ['two of them', 'one, two'],
    ['JSON', '{"a":1}'],
  ])('that is %s is replaced by one of ours, in header, body and log alike', async (_, id) => {
    const answer = await api.call('/nope', { headers: { 'x-request-id': id } })
    const ours = answer.headers.get('x-request-id') ?? ''
    expect(ours).toMatch(/^[0-9a-f-]{36}$/)
    expect(answer.json().request_id).toBe(ours)
    expect(api.logged()).toContain(`"request_id":"${ours}"`)
    if (id.length > 3) expect(api.logged() + answer.text).not.toContain(id)
  })

  test('is another one for each request', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => api.call('/livez')))
    expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(20)
  })
})

describe('what the app never gets to see', () => {
  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['an unknown method', 'C4N4RY / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no Host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['headers of 20 kB', `GET /livez HTTP/1.1\r\nHost: x\r\nX-Canary: ${'c4n4ry'.repeat(4000)}\r\n\r\n`],
    ['a control character in a header', 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Canary: c4n4ry\x00\r\n\r\n'],
    [
      'length and chunks at once',
      'POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\nc4n4ry',
    ],
    ['a Host that is none', 'GET /livez HTTP/1.1\r\nHost: c4n4ry/@\r\nConnection: close\r\n\r\n'],
  ])('%s: 400 as problem JSON with the headers of every response', async (_, request) => {
    const answer = await rawExchange(api.url, request)
    expect(answer.status).toBe(400)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expectProblem(answer, 'raw')
    expect(answer.json().code).toBe('malformed_request')
    expect(`${answer.text}${[...answer.headers]}${api.logged()}`.toLowerCase()).not.toContain('c4n4ry')
    expect((await api.call('/livez')).status).toBe(200)
  })
})

describe('the caller and the server', () => {
  test('GET /me says who the token is from and until when it works, exactly', async () => {
    const exp = Math.floor(Date.now() / 1000) + 100
    const who = await api.newOwner({ exp })
    const answer = await who.call('/me')
    const expected = { id: who.id, issuer: api.issuer.issuer, expires_at: new Date(exp * 1000).toISOString() }
    expect(answer.text).toBe(JSON.stringify(expected))
  })

  test('no cookie is read', async () => {
    const cookie = `better-auth.session_token=${ann.token}; token=${ann.token}; Authorization=Bearer ${ann.token}`
    expect((await api.call('/api/v1/me', { headers: { cookie } })).status).toBe(401)
  })

  test('health answers without a token, from memory', async () => {
    const ready = '{"status":"ok","database":true,"isolation":true,"keys":true,"serving":true}'
    expect((await api.call('/livez')).text).toBe('{"status":"ok"}')
    expect((await api.call('/readyz')).text).toBe(ready)
    expect((await api.call('/health')).text).toBe(ready)
  })

  test('the answer to everything has the headers of every response', async () => {
    const every: Answer[] = []
    for (const operation of operations)
      every.push(
        await api.call(pathOf(operation, randomUUID()), {
          method: operation.method,
          headers: bearer(),
          body: bodyOf(operation),
        }),
        await api.call(pathOf(operation, randomUUID()), { method: operation.method }),
      )
    for (const { headers } of every)
      expect([
        headers.get('cache-control'),
        headers.get('x-content-type-options'),
        headers.has('x-request-id'),
      ]).toEqual(['no-store', 'nosniff', true])
  })
})
