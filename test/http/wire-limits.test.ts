import { type EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { type WireLimits, wireLimits } from '../../src/http/request/wire-limits.ts'
import { type Fetch, type Listening, listen } from '../../src/http/server/server.ts'
import { openSocket } from '../support/raw-socket.ts'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function serve(limits: Partial<WireLimits>, fetch: Fetch = echo): Promise<{ url: string } & Listening> {
  const server = await listen({
    log: pino({ level: 'silent' }),
    host: '127.0.0.1',
    port: 0,
    fetch,
    limits: { checkEveryMs: 20, ...limits },
  })
  closing.push(() => server.close(0))
  return { ...server, url: `http://127.0.0.1:${server.port}` }
}

/** Until the test is over. */
function keepSaying(say: () => void): void {
  const timer = setInterval(say, 20)
  closing.push(() => clearInterval(timer))
}

const echo: Fetch = async (request) => new Response(await request.text().catch(() => 'lost'))

const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const post = (headers: string) => `POST / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`

test('the limits are those of docs/WIRE.md', async () => {
  const page = await readFile(new URL('../../docs/WIRE.md', import.meta.url), 'utf8')
  const stated = Object.fromEntries(
    [...page.matchAll(/^\| [^|]+ \| ([\d,.]+) ?(s|ms|kB|)[^|]* \| `(\w+)` \|/gm)].map(
      ([, figure = '', unit = '', name = '']) => [name, Number(figure.replace(',', '')) * unitOf(unit)],
    ),
  )
  expect(stated).toMatchObject(wireLimits)
})

const unitOf = (unit: string) => (unit === 's' ? 1000 : unit === 'kB' ? 1024 : 1)

test.each([
  ['stop in the request line', 'GET /', undefined],
  ['stop before the last empty line', 'GET / HTTP/1.1\r\nHost: x\r\n', undefined],
  ['come byte by byte', 'GET / HTTP/1.1\r\nHost: x\r\n', 'X-Slow: a\r\n'],
])('headers that %s are answered when their time is up, and the connection ends', async (_, start, drip) => {
  const { url } = await serve({ headersMs: 150, requestMs: 60_000 })
  const slow = await openSocket(url)
  slow.send(start)
  if (drip !== undefined) keepSaying(() => slow.send(drip))
  const answer = await slow.answer()
  expect(answer.status).toBe(400)
  expect(answer.json()).toMatchObject({
    code: 'malformed_request',
    detail: 'The request took too long to arrive.',
  })
  expect(answer.headers.get('connection')).toBe('close')
  expect(await slow.ended).toBe('')
})

test.each([
  ['with a length', post('Content-Length: 1000'), 'x'],
  ['in chunks', post('Transfer-Encoding: chunked'), '1\r\nx\r\n'],
])('a body %s that keeps coming is answered when its time is up', async (_, head, drip) => {
  const { url } = await serve({ headersMs: 150, requestMs: 300 })
  const slow = await openSocket(url)
  slow.send(head)
  keepSaying(() => slow.send(drip))
  const answer = await slow.answer()
  expect(answer.json()).toMatchObject({
    code: 'malformed_request',
    detail: 'The request took too long to arrive.',
  })
  expect(await slow.ended).toBe('')
})

test('a connection that says nothing is told nothing, and ends', async () => {
  const { url } = await serve({ headersMs: 100 })
  const silent = await openSocket(url)
  expect(await silent.ended).toBe('')
})

test('a kept connection ends when its next request does not come', async () => {
  const { url } = await serve({ keepAliveMs: 50 })
  const kept = await openSocket(url)
  kept.send(get)
  expect((await kept.answer()).status).toBe(200)
  expect(await kept.ended).toBe('')
})

test('a reader that does not read is cut, and its answer given up', async () => {
  const outgoing = Promise.withResolvers<EventEmitter & { writableFinished: boolean }>()
  const { url } = await serve({ silenceMs: 200 }, (_request, bindings) => {
    if (bindings?.outgoing) outgoing.resolve(bindings.outgoing)
    return new Response('x'.repeat(64 * 1024 * 1024))
  })
  const lazy = await openSocket(url)
  lazy.socket.pause()
  lazy.send(get)
  const response = await outgoing.promise
  await once(response, 'close')
  expect(response.writableFinished).toBe(false)
  lazy.socket.destroy()
})

test('an answer that takes longer than silence may last is waited for, as long as it moves', async () => {
  const { url } = await serve({ silenceMs: 500 }, () => {
    let left = 40
    return new Response(
      new ReadableStream({
        async pull(stream) {
          await new Promise((resolve) => setTimeout(resolve, 25))
          stream.enqueue(new Uint8Array(10))
          if (--left === 0) stream.close()
        },
      }),
      { headers: { 'content-length': '400' } },
    )
  })
  const patient = await openSocket(url)
  patient.send(get)
  expect((await patient.answer()).text).toHaveLength(400)
  patient.socket.destroy()
})

test('who was told off and stays is cut', async () => {
  const { url } = await serve({ lingerMs: 50 })
  const stubborn = await openSocket(url, { staysOpen: true })
  stubborn.send('GARBAGE\r\n\r\n')
  expect((await stubborn.answer()).status).toBe(400)
  keepSaying(() => stubborn.send('more'))
  expect(await stubborn.ended).toBe('')
})

test('what cannot be read waits for the answers before it', async () => {
  const slow = Promise.withResolvers<Response>()
  const asked = Promise.withResolvers<void>()
  const { url } = await serve({}, () => {
    asked.resolve()
    return slow.promise
  })
  const socket = await openSocket(url)
  socket.send(`${get}GARBAGE\r\n\r\n`)
  await asked.promise
  const first = socket.answer()
  setImmediate(() => slow.resolve(new Response('first')))
  expect((await first).text).toBe('first')
  expect((await socket.answer()).status).toBe(400)
  expect(await socket.ended).toBe('')
})

test('a body that cannot be read is answered once, even when the app has answered already', async () => {
  const { url } = await serve({}, () => new Response('early', { status: 401 }))
  const socket = await openSocket(url)
  socket.send(post('Transfer-Encoding: chunked'))
  expect((await socket.answer()).text).toBe('early')
  socket.send('zz\r\n')
  expect(await socket.ended).toBe('')
})

test('a tunnel is refused, and who asked for it may vanish', async () => {
  const { url } = await serve({})
  const connect = 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n'
  const vanishing = await openSocket(url)
  vanishing.send(connect)
  await vanishing.answer()
  vanishing.socket.resetAndDestroy()
  await vanishing.ended
  const waiting = await openSocket(url)
  waiting.send(connect)
  expect((await waiting.answer()).json()).toMatchObject({ code: 'malformed_request' })
  expect(await waiting.ended).toBe('')
})

test('a server that closes takes no new connections, answers those it has, and hangs up', async () => {
  const answer = Promise.withResolvers<Response>()
  const paths: string[] = []
  const server = await serve({}, async (request) => {
    const { pathname } = new URL(request.url)
    paths.push(pathname + (await request.text()))
    return pathname === '/slow' ? answer.promise : new Response('late')
  })
  const asked = async (count: number) => {
    while (paths.length < count) await new Promise((resolve) => setImmediate(resolve))
  }
  const half = await openSocket(server.url)
  half.send('POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab')
  const kept = await openSocket(server.url)
  kept.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await asked(1)

  const closed = server.close(60_000)
  await expect(openSocket(server.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  half.send('cde')
  kept.send('GET /after HTTP/1.1\r\nHost: x\r\n\r\n')
  await asked(2)
  answer.resolve(new Response('under way'))

  expect((await half.answer()).text).toBe('late')
  expect((await kept.answer()).text).toBe('under way')
  const last = await kept.answer()
  expect([last.text, last.headers.get('connection')]).toEqual(['late', 'close'])
  expect([await kept.ended, await half.ended]).toEqual(['', ''])
  await closed
  expect(paths.toSorted()).toEqual(['/after', '/halfabcde', '/slow'])
})
