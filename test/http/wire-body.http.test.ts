import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bodyLimitBytes } from '../../src/http/request/body.ts'
import { type Caller, startApi, type TestApi } from '../support/api.ts'
import { expectProblem } from '../support/documented-api.ts'
import { openSocket, type RawSocket } from '../support/raw-socket.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

const json = { 'content-type': 'application/json' }
const post = (body: string | Uint8Array, headers: Record<string, string> = json) =>
  ann.call('/tasks', { method: 'POST', body, headers })
const titles = async () => (await ann.call('/tasks')).json<{ title: string }[]>().map(({ title }) => title)

async function expectRefused(status: number, body: string | Uint8Array, headers?: Record<string, string>) {
  const before = await titles()
  const answer = await post(body, headers)
  expect(answer.status).toBe(status)
  expectProblem(answer, 'body')
  expect(`${answer.text}${api.logged()}`).not.toContain('c4n4ry')
  expect(await titles()).toEqual(before)
  return answer
}

const createHead = (framing: string) =>
  `POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

/** A create in that many bytes, padded where JSON may be. */
const padded = (length: number) => '{"title":"x"}'.padEnd(length)

describe('size', () => {
  test('256,000 bytes are taken, declared or in chunks', async () => {
    expect((await post(padded(bodyLimitBytes))).status).toBe(201)
    const socket = await openSocket(api.url)
    socket.send(`${createHead('Transfer-Encoding: chunked')}${chunk(padded(bodyLimitBytes))}0\r\n\r\n`)
    expect((await socket.answer()).status).toBe(201)
    socket.socket.destroy()
  })

  test('one byte more is 413, declared or in chunks', async () => {
    await expectRefused(413, padded(bodyLimitBytes + 1))
    const socket = await openSocket(api.url)
    socket.send(`${createHead('Transfer-Encoding: chunked')}${chunk(padded(bodyLimitBytes + 1))}0\r\n\r\n`)
    expect((await socket.answer()).json()).toMatchObject({ status: 413, code: 'payload_too_large' })
    socket.socket.destroy()
  })

  test('it is bytes that count, not characters', async () => {
    const body = `{"title":"x","description":"${'\u00e9'.repeat(9_990)}"}`
    expect((await post(body)).status).toBe(201)
    await expectRefused(413, `{"title":"x","description":"${'\u00e9'.repeat(128_000)}"}`)
  })

  test('a length over the limit is refused before a byte of the body is sent', async () => {
    for (const length of [bodyLimitBytes + 1, 10 ** 15]) {
      const socket = await openSocket(api.url)
      socket.send(createHead(`Content-Length: ${length}`))
      expect((await socket.answer()).status).toBe(413)
      socket.socket.destroy()
    }
  })

  test.each([
    ['declared', `Content-Length: ${10 ** 12}`, 'x'.repeat(20_000)],
    ['in chunks', 'Transfer-Encoding: chunked', chunk('x'.repeat(20_000))],
  ])('an endless body, %s, is told 413 while it is sent, and cut', async (_, framing, piece) => {
    const socket = await openSocket(api.url)
    socket.send(createHead(framing))
    const stop = keepSending(socket, piece)
    expect((await socket.answer()).status).toBe(413)
    expect(await socket.ended).toBe('')
    stop()
  })

  test('what is left over of a body that was too large is no request', async () => {
    const socket = await openSocket(api.url)
    const inner = `DELETE /api/v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n`
    socket.send(createHead(`Content-Length: ${bodyLimitBytes + inner.length}`))
    socket.send(
      `${padded(bodyLimitBytes)}${inner}GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
    expect((await socket.answer()).status).toBe(413)
    expect((await socket.answer()).text).toBe('{"status":"ok"}')
    expect(await socket.ended).toBe('')
  })

  test('without a token the body is not looked at', async () => {
    const socket = await openSocket(api.url)
    socket.send(`POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: ${10 ** 12}\r\n\r\n`)
    expect((await socket.answer()).status).toBe(401)
    expect(await socket.ended).toBe('')
  })

  test('a body without an end is no error of ours, and makes no task', async () => {
    const before = await titles()
    const refusals = () => api.logged().split('"code":"malformed_request"').length
    const refusedBefore = refusals()
    for (const head of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
      const socket = await openSocket(api.url)
      socket.send(`${createHead(head)}${head.startsWith('T') ? chunk('{"title":') : '{"title":"x"}'}`)
      // Its answer says that the first connection was read.
      await api.call('/livez')
      socket.socket.resetAndDestroy()
      await socket.ended
    }
    await expect.poll(refusals).toBe(refusedBefore + 2)
    expect(api.logged()).not.toMatch(/"status":50\d/)
    expect(await titles()).toEqual(before)
  })
})

function keepSending(socket: RawSocket, piece: string): () => void {
  let stopped = false
  const more = () => {
    if (stopped || socket.socket.destroyed) return
    socket.socket.write(piece, 'latin1', () => setImmediate(more))
  }
  more()
  return () => {
    stopped = true
  }
}

describe('type and coding', () => {
  test.each([
    'application/json',
    'Application/JSON',
    'application/json;charset=utf-8',
    'application/json; charset=UTF-8',
    'application/json ; charset="utf-8"',
    'application/merge-patch+json',
  ])('%s is read', async (type) => {
    expect((await post('{"title":"x"}', { 'content-type': type })).status).toBe(201)
  })

  test.each([
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'application/json/x',
    'application/xml',
    'application/+json',
    'application/json; charset=utf-16',
    'application/json; charset=iso-8859-1',
    'application/json; charset=utf-8x',
    'application/json; charset="utf-8',
    'application/json; charset=utf-8; charset=utf-16',
    'application/json; boundary=x',
    'json',
    '*/*',
    '',
  ])('%j is 415', async (type) => {
    await expectRefused(415, '{"title":"c4n4ry"}', { 'content-type': type })
  })

  test.each(['gzip', 'br', 'deflate', 'identity, gzip', 'c4n4ry', ''])(
    'Content-Encoding %j is 415',
    async (coding) => {
      await expectRefused(415, '{"title":"c4n4ry"}', { ...json, 'content-encoding': coding })
    },
  )

  test('Content-Encoding identity is none', async () => {
    expect((await post('{"title":"x"}', { ...json, 'content-encoding': 'Identity' })).status).toBe(201)
  })

  test('two Content-Type headers are 400, also when they agree', async () => {
    for (const second of ['application/json', 'text/plain']) {
      const socket = await openSocket(api.url)
      socket.send(`${createHead(`Content-Type: ${second}\r\nContent-Length: 13`)}{"title":"x"}`)
      expect((await socket.answer()).json()).toMatchObject({ status: 400, code: 'malformed_request' })
      socket.socket.destroy()
    }
  })
})

describe('text', () => {
  const around = (...bytes: number[]) =>
    Buffer.concat([Buffer.from('{"title":"c4n4ry'), Buffer.from(bytes), Buffer.from('"}')])

  test.each([
    ['a byte that starts nothing', [0x80]],
    ['half a character', [0xc3]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
    ['a surrogate pair in CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['beyond the last code point', [0xf4, 0x90, 0x80, 0x80]],
    ['five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ['Latin-1', [0xe9]],
  ])('%s is no UTF-8: 400', async (_, bytes) => {
    expect((await expectRefused(400, around(...bytes))).json().code).toBe('malformed_request')
  })

  test.each([
    ['a byte order mark', Buffer.from('\ufeff{"title":"c4n4ry"}')],
    ['UTF-16', Buffer.from('\ufeff{"title":"c4n4ry"}', 'utf16le')],
    ['nothing', ''],
    ['only spaces', '  '],
    ['JSON and more', '{"title":"c4n4ry"}{}'],
    ['a bare NUL', '{"title":"c4n4ry\0"}'],
    ['a bare line feed in a text', '{"title":"c4n4ry\n"}'],
    ['a name twice', '{"title":"c4n4ry","title":"x"}'],
    ['a name twice, once escaped', '{"title":"c4n4ry","\\u0074itle":"x"}'],
    ['a name twice inside', '{"title":"x","description":{"c4n4ry":1,"c4n4ry":1}}'],
    ['33 levels', `{"title":${'['.repeat(32)}${']'.repeat(32)}}`],
    ['50,000 levels', '['.repeat(50_000) + ']'.repeat(50_000)],
    ['50,000 levels that do not end', '{"a":'.repeat(19_000)],
  ])('%s is 400', async (_, body) => {
    expect((await expectRefused(400, body)).json().code).toBe('malformed_request')
  })

  test.each([
    ['half of a surrogate pair', '{"title":"c4n4ry\\ud83d"}', '/title', 'unpaired_surrogate'],
    [
      'the other half',
      '{"title":"x","description":"c4n4ry\\ude00\\ud83d"}',
      '/description',
      'unpaired_surrogate',
    ],
    ['an escaped NUL', '{"title":"c4n4ry\\u0000"}', '/title', 'nul'],
    ['__proto__', '{"title":"x","__proto__":{"owner_id":"c4n4ry"}}', '/__proto__', 'unknown_field'],
    [
      'constructor',
      '{"title":"x","constructor":{"prototype":{"c4n4ry":1}}}',
      '/constructor',
      'unknown_field',
    ],
    ['32 levels', `{"title":${'['.repeat(31)}${']'.repeat(31)}}`, '/title', 'wrong_type'],
  ])('%s is 422', async (_, body, path, code) => {
    const answer = await expectRefused(422, body)
    expect(answer.json().errors).toEqual([expect.objectContaining({ in: 'body', path, code })])
    expect(Object.hasOwn(Object.prototype, 'c4n4ry')).toBe(false)
  })

  test('whatever else text can be is kept, byte for byte', async () => {
    const title = '\u0001\u0085\u2028\ufeff\u{1f600}e\u0301\u202e\uffff'
    expect((await post(JSON.stringify({ title }))).json().title).toBe(title)
  })
})
