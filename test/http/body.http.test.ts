import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, Caller, TestApi } from '../support/api.ts'
import { expectDocumented, startDocumentedApi } from '../support/documented-api.ts'
import { rawExchange } from '../support/raw-exchange.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

describe('a body over 256 kB', () => {
  const bodyOf = (bytes: number) => `{"title":"x"}`.padEnd(bytes)

  test('is 413, one of exactly that is not', async () => {
    expect((await ann.call('/tasks', { body: bodyOf(256_000) })).status).toBe(201)
    expect((await ann.call('/tasks', { body: bodyOf(256_001) })).status).toBe(413)
  })

  test('is 413 when its length is not declared, too', async () => {
    expect((await chunked(bodyOf(256_000))).status).toBe(201)
    expect((await chunked(bodyOf(256_001))).status).toBe(413)
    expect((await chunked('x'.repeat(600_000))).json().code).toBe('payload_too_large')
  })

  test('is counted in bytes, not in characters', async () => {
    expect((await ann.call('/tasks', { body: `"${'é'.repeat(128_000)}"` })).status).toBe(413)
  })

  test('is refused by its declared length alone, before it is sent', async () => {
    const head = `POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n`
    const answer = await rawExchange(
      api.url,
      `${head}Content-Type: application/json\r\nContent-Length: 256001\r\n\r\n{`,
    )
    expect(answer.status).toBe(413)
    expectDocumented('POST', '/api/v1/tasks', answer)
  })

  /** The body in pieces without Content-Length. */
  async function chunked(body: string): Promise<Answer> {
    const agent = new Agent()
    const sent = request(`${api.url}/api/v1/tasks`, {
      agent,
      method: 'POST',
      headers: {
        authorization: `Bearer ${ann.token}`,
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
      },
    })
    // Cut off while it is still sending: the answer came first, and is what counts.
    sent.on('error', () => undefined)
    const response = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve))
    for (let start = 0; start < body.length; start += 30_000) sent.write(body.slice(start, start + 30_000))
    sent.end()
    const received = await response
    const content = await text(received)
    const headers = new Headers(
      Object.entries(received.headersDistinct).map(([name, values = []]): [string, string] => [
        name,
        values.join(', '),
      ]),
    )
    const answer: Answer = {
      status: received.statusCode ?? 0,
      headers,
      text: content,
      json: () => JSON.parse(content),
    }
    agent.destroy()
    expectDocumented('POST', '/api/v1/tasks', answer)
    return answer
  }
})

describe('a body that is no JSON in UTF-8', () => {
  const send = (body: string | Uint8Array, headers: Record<string, string> = {}, method = 'POST') =>
    ann.call('/tasks', { method, body, headers })

  test.each([
    '',
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'json',
    'application/jsonx',
    'application/octet-stream',
    '*/*',
    'application/json; charset=latin1',
    'application/json; charset=utf-16',
    'application/json; charset=iso-8859-1',
    'text/html; application/json',
  ])('is 415 by Content-Type %j', async (type) => {
    const answer = await send('{"title":"x"}', { 'content-type': type })
    expect([answer.status, answer.json().code]).toEqual([415, 'unsupported_media_type'])
  })

  test('is 415 without any Content-Type', async () => {
    const head = `POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\nConnection: close\r\n`
    const answer = await rawExchange(api.url, `${head}Content-Length: 13\r\n\r\n{"title":"x"}`)
    expect(answer.status).toBe(415)
  })

  test.each(['gzip', 'br', 'deflate', 'zstd', 'identity, gzip', 'GZIP', 'x'])(
    'is 415 by Content-Encoding %s',
    async (coding) => {
      const answer = await send(gzipSync('{"title":"x"}'), { 'content-encoding': coding })
      expect([answer.status, answer.json().code]).toEqual([415, 'unsupported_media_type'])
    },
  )

  test.each([
    'application/json;charset=utf-8',
    'application/json; charset="utf-8"',
    'APPLICATION/JSON',
    'application/json ; charset=UTF-8',
  ])('is not one by Content-Type %s', async (type) => {
    expect((await send('{"title":"x"}', { 'content-type': type })).status).toBe(201)
  })

  test.each([
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['half a character', [0xe2, 0x82]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
    ['more than Unicode has', [0xf5, 0x80, 0x80, 0x80]],
    ['latin1', [0xe9]],
  ])('is 400 by %s', async (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"title":"a'), Buffer.from(bytes), Buffer.from('b"}')])
    const answer = await send(body)
    expect([answer.status, answer.json().code]).toEqual([400, 'malformed_request'])
  })

  test.each([
    '',
    ' ',
    '{',
    '}',
    '{"title":"x"',
    "{'title':'x'}",
    '{title:"x"}',
    '{"title":"x",}',
    '{"title":"x"} x',
    '{"title":"x"}{"title":"y"}',
    '{"title":"\\x41"}',
    '{"title":"\\ud8"}',
    '{"title":"a\nb"}',
    '{"title":01}',
    '{"title":NaN}',
    '// x\n{"title":"x"}',
    'undefined',
    '\ufeff{"title":"x"}',
    '\0{"title":"x"}',
  ])('is 400 when it is %j', async (body) => {
    const answer = await send(body)
    expect([answer.status, answer.json().code]).toEqual([400, 'malformed_request'])
  })

  test('leaves the server as it was', async () => {
    expect((await send('['.repeat(50_000))).status).toBe(400)
    expect((await send(`${'['.repeat(49_999)}${']'.repeat(49_999)}`)).status).toBeLessThan(500)
    expect((await send('{"title":"still here"}')).status).toBe(201)
  })
})
