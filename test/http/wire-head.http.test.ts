import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type Caller, startApi, type TestApi } from '../support/api.ts'
import { expectProblem } from '../support/documented-api.ts'
import { openSocket, sayAndHear } from '../support/raw-socket.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

const body = '{"title":"c4n4ry"}'
const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
const last = 'Connection: close\r\n'
const bearer = () => `Authorization: Bearer ${ann.token}\r\n`
/** A create that would work if it were not for `more`. */
const create = (more: string, content = body, version = 'HTTP/1.1') =>
  `POST /api/v1/tasks ${version}\r\nHost: x\r\n${bearer()}Content-Type: application/json\r\n${more}\r\n${content}`
const chunks = `12\r\n${body}\r\n0\r\n\r\n`
const length = `Content-Length: ${body.length}\r\n`

/** The one answer there is, after which the server hung up. */
async function onlyAnswer(bytes: string | Uint8Array): Promise<Answer> {
  const [answer, ...more] = await sayAndHear(api.url, bytes)
  if (answer === undefined) throw new Error('no answer')
  expect(more).toEqual([])
  expect(answer.headers.get('connection')).toBe('close')
  return answer
}

async function expectRefused(bytes: string | Uint8Array): Promise<Answer> {
  const answer = await onlyAnswer(bytes)
  expect(answer.status).toBe(400)
  expectProblem(answer, 'raw')
  expect(answer.json().code).toBe('malformed_request')
  for (const name of ['content-security-policy', 'vary', 'cache-control', 'x-content-type-options', 'date'])
    expect(answer.headers.has(name), name).toBe(true)
  expect(`${answer.text}${[...answer.headers]}`.toLowerCase()).not.toContain('c4n4ry')
  expect(linesOf(answer)).toEqual([
    expect.objectContaining({
      status: 400,
      code: 'malformed_request',
      reason: expect.stringMatching(/^[a-z_]+$/),
    }),
  ])
  expect((await ann.call('/me')).status).toBe(200)
  return answer
}

/** What the log has under the id of the answer. */
function linesOf(answer: Answer): object[] {
  const id = String(answer.json().request_id)
  const lines = api.logged().split('\n')
  return lines.filter((line) => line.includes(id)).map((line) => JSON.parse(line))
}

const unread: [what: string, bytes: () => string][] = [
  ['no HTTP', () => 'hello\r\n\r\n'],
  ['TLS', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['HTTP/2 with its preface', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['an unknown method', () => 'C4N4RY / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a method in lower case', () => 'get /livez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['HTTP/1.2', () => 'GET /livez HTTP/1.2\r\nHost: x\r\n\r\n'],
  ['HTTP/3.0', () => 'GET /livez HTTP/3.0\r\nHost: x\r\n\r\n'],
  ['a version in lower case', () => 'GET /livez http/1.1\r\nHost: x\r\n\r\n'],
  ['bare line feeds', () => 'GET /livez HTTP/1.1\nHost: x\n\n'],
  ['a bare line feed behind a header', () => get('/livez', 'X-A: b\n')],
  ['a bare carriage return', () => get('/livez', 'X-A: b\rc\r\n')],
  ['a folded header', () => get('/livez', 'X-A: b\r\n c4n4ry\r\n')],
  ['a space before the colon', () => get('/livez', 'X-A : c4n4ry\r\n')],
  ['a space before the first header', () => 'GET /livez HTTP/1.1\r\n Host: x\r\n\r\n'],
  ['a header without a colon', () => get('/livez', 'c4n4ry\r\n')],
  ['a header without a name', () => get('/livez', ': c4n4ry\r\n')],
  ['NUL in a header', () => get('/livez', 'X-A: c4n4ry\0\r\n')],
  ['NUL in a header name', () => get('/livez', 'X\0A: c4n4ry\r\n')],
  ['two Content-Length that agree', () => create(`${length}${length}`)],
  ['two Content-Length that differ', () => create(`${length}Content-Length: 0\r\n`)],
  ['a list of lengths', () => create('Content-Length: 18, 18\r\n')],
  ['a negative length', () => create('Content-Length: -1\r\n')],
  ['a signed length', () => create('Content-Length: +18\r\n')],
  ['a hexadecimal length', () => create('Content-Length: 0x12\r\n')],
  ['an empty length', () => create('Content-Length:\r\n')],
  ['a length beyond counting', () => create('Content-Length: 99999999999999999999\r\n')],
  ['length and chunks', () => create(`${length}Transfer-Encoding: chunked\r\n`, chunks)],
  ['chunks and length', () => create(`Transfer-Encoding: chunked\r\n${length}`, chunks)],
  ['chunked twice', () => create('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', chunks)],
  ['chunked twice in one', () => create('Transfer-Encoding: chunked, chunked\r\n', chunks)],
  ['chunked, then zipped', () => create('Transfer-Encoding: chunked, gzip\r\n', chunks)],
  ['zipped, then chunked', () => create('Transfer-Encoding: gzip, chunked\r\n', chunks)],
  ['two transfer codings', () => create('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n', chunks)],
  ['identity as transfer coding', () => create(`Transfer-Encoding: identity\r\n${length}`)],
  ['a misspelled transfer coding', () => create('Transfer-Encoding: xchunked\r\n', chunks)],
  ['a quoted transfer coding', () => create('Transfer-Encoding: "chunked"\r\n', chunks)],
  ['chunks in HTTP/1.0', () => create('Transfer-Encoding: chunked\r\n', chunks, 'HTTP/1.0')],
  ['a chunk size that is none', () => create('Transfer-Encoding: chunked\r\n', `zz\r\n${body}\r\n0\r\n\r\n`)],
  ['a negative chunk size', () => create('Transfer-Encoding: chunked\r\n', `-12\r\n${body}\r\n0\r\n\r\n`)],
  [
    'a chunk size with a prefix',
    () => create('Transfer-Encoding: chunked\r\n', `0x12\r\n${body}\r\n0\r\n\r\n`),
  ],
  ['a chunk size beyond counting', () => create('Transfer-Encoding: chunked\r\n', `${'f'.repeat(17)}\r\nx`)],
  ['a chunk that is too long', () => create('Transfer-Encoding: chunked\r\n', `1\r\n${body}\r\n0\r\n\r\n`)],
  ['bare line feeds in chunks', () => create('Transfer-Encoding: chunked\r\n', `12\n${body}\n0\n\n`)],
  [
    '20 kB of chunk extension',
    () => create('Transfer-Encoding: chunked\r\n', `12;${'a'.repeat(20_000)}\r\n`),
  ],
  ['20 kB of trailers', () => create('Transfer-Encoding: chunked\r\n', `0\r\nX: ${'a'.repeat(20_000)}\r\n`)],
  ['a space in the target', () => get('/liv ez')],
  ['a space before the request line', () => ` ${get('/livez')}`],
  ['a space behind the version', () => 'GET /livez HTTP/1.1 \r\nHost: x\r\n\r\n'],
  ['a tab before the target', () => 'GET\t/livez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a tab behind the target', () => 'GET /livez\tHTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a tab among spaces', () => 'GET \t /livez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['two spaces around a target with a space', () => get(' /liv  ez ')],
  ['two spaces and no target', () => 'GET  HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['NUL in the target', () => get('/liv\0ez')],
  ['a byte above 0x7f in the target', () => get('/liv\xe9ez')],
  ['authority form', () => get('c4n4ry:80')],
  ['CONNECT', () => 'CONNECT c4n4ry:80 HTTP/1.1\r\nHost: c4n4ry:80\r\n\r\n'],
  ['CONNECT to a path', () => 'CONNECT /livez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a request line of 20 kB', () => get(`/livez?${'c4n4ry'.repeat(4000)}`)],
  ['a header of 20 kB', () => get('/livez', `X-A: ${'c4n4ry'.repeat(4000)}\r\n`)],
  ['200 headers', () => get('/livez', 'X-A: c4n4ry\r\n'.repeat(200))],
]

describe('refused before the app', () => {
  test.each(unread)('%s', async (_, bytes) => {
    await expectRefused(bytes())
  })
})

const refusedByApp: [what: string, reason: string, bytes: () => string][] = [
  ['HTTP/0.9 with a version', 'http_version', () => 'GET /livez HTTP/0.9\r\nHost: x\r\n\r\n'],
  ['HTTP/2.0', 'http_version', () => 'GET /livez HTTP/2.0\r\nHost: x\r\n\r\n'],
  ['101 headers', 'header_count', () => get('/livez', 'X-A: c4n4ry\r\n'.repeat(100))],
  ['no Host', 'host_count', () => 'GET /livez HTTP/1.1\r\n\r\n'],
  ['two Host', 'host_count', () => get('/livez', 'Host: c4n4ry\r\n')],
  ['two Host that agree', 'host_count', () => get('/livez', 'hOST: x\r\n')],
  ['absolute form', 'target_form', () => get('http://x/livez')],
  ['absolute form of another host', 'target_form', () => get('http://c4n4ry.example/livez')],
  ['absolute form of HTTPS', 'target_form', () => get('https://x/livez')],
  ['a fragment', 'target_form', () => get('/livez#c4n4ry')],
  ['broken percent-encoding', 'target_encoding', () => get('/livez?%c4n4ry%')],
  ['an encoded NUL', 'target_hidden', () => get('/livez/%00')],
  ['an encoded slash', 'target_hidden', () => get('/api%2fv1/me')],
  ['an encoded dot segment', 'target_hidden', () => get('/api/v1/%2e%2e/%2e%2e/livez')],
  ['a dot segment', 'target_dots', () => get('/api/v1/../../livez')],
]

describe('refused by the app', () => {
  test.each(refusedByApp)('%s: %s in the log', async (_, reason, bytes) => {
    const answer = await expectRefused(bytes())
    const line = api
      .logged()
      .split('\n')
      .find((each) => each.includes(String(answer.json().request_id)))
    expect(JSON.parse(line ?? '{}')).toMatchObject({ status: 400, code: 'malformed_request', reason })
  })

  test.each([
    ['* as target', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another scheme', get('ftp://c4n4ry/livez')],
    ['a backslash', get('/api\\v1/me')],
    ['a Host that is none', 'GET /livez HTTP/1.1\r\nHost: c4n4ry/@\r\n\r\n'],
    ['a Host with a space', 'GET /livez HTTP/1.1\r\nHost: c4n4ry x\r\n\r\n'],
    ['a Host with a port that is none', 'GET /livez HTTP/1.1\r\nHost: c4n4ry:99999\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    await expectRefused(bytes)
  })

  test('two Authorization headers, whichever is good', async () => {
    for (const [first, second] of [
      [bearer(), 'Authorization: Basic c4n4ry\r\n'],
      ['authorization: Basic c4n4ry\r\n', bearer()],
      [bearer(), bearer()],
    ]) {
      const [answer] = await sayAndHear(api.url, get('/api/v1/me', `${first}${second}${last}`))
      expect(answer?.json()).toMatchObject({ status: 400, code: 'malformed_request' })
      expect(answer?.text).not.toContain('c4n4ry')
    }
  })

  test('a hidden path is refused before it is asked who calls', async () => {
    for (const target of [
      '/api/v1/tasks/%2e%2e',
      '/api%2fv1/tasks',
      '/livez/../api/v1/tasks',
      'http://x/api/v1/tasks',
    ]) {
      const without = await expectRefused(get(target))
      const bad = await expectRefused(get(target, 'Authorization: Bearer c4n4ry\r\n'))
      expect(bad.json().detail).toBe(without.json().detail)
    }
  })
})

describe('served', () => {
  const served: [what: string, status: number, bytes: () => string][] = [
    ['empty lines before the request', 200, () => `\r\n\r\n${get('/livez', last)}`],
    ['two spaces before the target', 200, () => get(' /livez', last)],
    ['two spaces behind the target', 200, () => get('/livez ', last)],
    [
      '30 kB of spaces around the target',
      200,
      () => get(`${' '.repeat(15_000)}/livez${' '.repeat(15_000)}`, last),
    ],
    ['two spaces around a path behind a token', 401, () => get(' /api/v1/me ', last)],
    ['HTTP/1.0 without Host', 200, () => 'GET /livez HTTP/1.0\r\n\r\n'],
    ['an empty Host', 200, () => `GET /livez HTTP/1.1\r\nHost:\r\n${last}\r\n`],
    ['Host as an address with a port', 200, () => `GET /livez HTTP/1.1\r\nHost: [::1]:8000\r\n${last}\r\n`],
    ['100 headers', 200, () => get('/livez', `X-A: b\r\n`.repeat(98) + last)],
    [
      'names of object members as headers',
      200,
      () => get('/livez', `__proto__: a\r\nconstructor: b\r\n${last}`),
    ],
    ['a WebSocket upgrade', 200, () => get('/livez', 'Upgrade: websocket\r\nConnection: Upgrade, close\r\n')],
    [
      'an upgrade to HTTP/2',
      200,
      () =>
        get(
          '/livez',
          'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings, close\r\n',
        ),
    ],
    [
      'an upgrade without a token',
      401,
      () => get('/api/v1/me', 'Upgrade: websocket\r\nConnection: Upgrade, close\r\n'),
    ],
    ['an upgrade of a create', 201, () => create(`${length}Upgrade: h2c\r\nConnection: Upgrade, close\r\n`)],
    ['TRACE', 405, () => `TRACE /livez HTTP/1.1\r\nHost: x\r\nX-A: c4n4ry\r\n${last}\r\n`],
    ['a body on GET', 200, () => `${get('/livez', `${last}Content-Length: 5\r\n`)}hello`],
    [
      'a body on DELETE',
      404,
      () => `DELETE /api/v1/tasks/x HTTP/1.1\r\nHost: x\r\n${bearer()}${last}Content-Length: 5\r\n\r\nhello`,
    ],
    ['chunks', 201, () => create(`Transfer-Encoding: chunked\r\n${last}`, chunks)],
    ['Chunked in capitals', 201, () => create(`Transfer-Encoding: CHUNKED\r\n${last}`, chunks)],
    ['an unknown expectation', 201, () => create(`${length}Expect: tea\r\n${last}`)],
    ['a double percent', 404, () => get('/%252e%252e/livez', last)],
  ]
  test.each(served)('%s: %i', async (_, status, bytes) => {
    const answer = await onlyAnswer(bytes())
    expect(answer.status).toBe(status)
    expect(answer.text.includes('c4n4ry')).toBe(status === 201)
  })

  test('Expect: 100-continue gets its interim answer before the body is sent', async () => {
    const socket = await openSocket(api.url)
    socket.send(create(`${length}Expect: 100-continue\r\n${last}`, ''))
    expect((await socket.answer()).status).toBe(100)
    socket.send(body)
    expect((await socket.answer()).status).toBe(201)
    await socket.ended
  })

  test('HTTP/1.0 may keep the connection', async () => {
    const socket = await openSocket(api.url)
    for (let i = 0; i < 2; i++) {
      socket.send('GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
      expect((await socket.answer()).headers.get('connection')).toBe('keep-alive')
    }
    socket.send('GET /livez HTTP/1.0\r\n\r\n')
    expect((await socket.answer()).headers.get('connection')).toBe('close')
    await socket.ended
  })

  test('requests in one go are answered in order, each as its own caller', async () => {
    const bob = await api.newOwner()
    const callers = Array.from({ length: 30 }, (_, i) => [ann, bob, undefined][i % 3])
    const requests = callers.map((caller) =>
      get('/api/v1/me', caller ? `Authorization: Bearer ${caller.token}\r\n` : ''),
    )
    const answers = await sayAndHear(api.url, requests.join('') + get('/livez', last))
    expect(answers.map(({ status, json }) => (status === 200 ? (json().id ?? 'alive') : status))).toEqual([
      ...callers.map((caller) => caller?.id ?? 401),
      'alive',
    ])
  })

  test('a token in a trailer is none', async () => {
    const request = `POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${last}Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n`
    const answer = await onlyAnswer(`${request}12\r\n${body}\r\n0\r\n${bearer()}\r\n`)
    expect(answer.status).toBe(401)
  })

  test('a body smuggled behind a refused head is not a request', async () => {
    const inner = get('/api/v1/me', bearer())
    for (const framing of [
      `Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked\r\n`,
      'Transfer-Encoding: gzip, chunked\r\n',
      `Content-Length: 0\r\nContent-Length: ${inner.length}\r\n`,
    ])
      await expectRefused(create(framing, `0\r\n\r\n${inner}`))
  })
})

test('none of it was a defect of ours', () => {
  expect(api.logged()).not.toMatch(/"status":50\d/)
})
