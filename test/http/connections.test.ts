import { Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import type { WireLimits } from '../../src/http/request/wire-limits.ts'
import { type Fetch, listen } from '../../src/http/server/server.ts'
import { openSocket } from '../support/raw-socket.ts'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(fetch: Fetch, limits: Partial<WireLimits> = {}) {
  const lines: string[] = []
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  const log = pino({ base: null }, sink)
  const server = await listen({
    log,
    host: '127.0.0.1',
    port: 0,
    fetch,
    limits: { checkEveryMs: 20, ...limits },
  })
  closing.push(() => server.close(0))
  const cuts = () =>
    lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter(({ event }) => event === 'connections_cut')
  return { url: `http://127.0.0.1:${server.port}`, cuts }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const pathOf = (request: Request) => new URL(request.url).pathname
const paths = (count: number) => Array.from({ length: count }, (_, i) => `/${i}`)

test('100 requests in one piece are answered in order, one after the other', async () => {
  let under = 0
  let most = 0
  const { url } = await serve(async (request) => {
    most = Math.max(most, ++under)
    await wait(request.url.endsWith('3') ? 2 : 0)
    under--
    return new Response(pathOf(request))
  })
  const socket = await openSocket(url)
  socket.send(paths(100).map(get).join(''))
  const answers: string[] = []
  while (answers.length < 100) answers.push((await socket.answer()).text)
  expect(answers).toEqual(paths(100))
  expect(most).toBe(1)
  socket.socket.destroy()
})

test('requests that come bit by bit behind an unanswered one are answered in order', async () => {
  const first = Promise.withResolvers<Response>()
  const { url } = await serve((request) =>
    pathOf(request) === '/0' ? first.promise : new Response(pathOf(request)),
  )
  const socket = await openSocket(url)
  for (const path of paths(20)) {
    socket.send(get(path))
    await wait(1)
  }
  first.resolve(new Response('/0'))
  for (const path of paths(20)) expect((await socket.answer()).text).toBe(path)
  socket.socket.destroy()
})

test('a connection that brings too many requests in one piece is closed, and served no further', async () => {
  const served: string[] = []
  const never = Promise.withResolvers<Response>()
  const { url, cuts } = await serve((request) => {
    served.push(pathOf(request))
    return never.promise
  })
  const socket = await openSocket(url)
  socket.send(paths(1_700).map(get).join(''))
  expect(await socket.ended).toBe('')
  expect(served).toEqual(['/0'])
  expect(cuts()).toMatchObject([{ reason: 'pipelined', count: 1 }])
})

test('a connection with many unanswered requests is not read', async () => {
  const first = Promise.withResolvers<Response>()
  const begun = Promise.withResolvers<void>()
  const { url } = await serve((request) => {
    begun.resolve()
    return pathOf(request) === '/0' ? first.promise : new Response(pathOf(request))
  })
  const socket = await openSocket(url)
  socket.send(paths(40).map(get).join(''))
  await begun.promise
  // More than the buffers of both kernels take; read, it would be refused as too large.
  socket.send(`GET /last HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(32 * 2 ** 20)}\r\n\r\n`)
  await wait(200)
  expect(socket.socket.writableLength).toBeGreaterThan(2 ** 20)
  first.resolve(new Response('/0'))
  for (const path of paths(40)) expect((await socket.answer()).text).toBe(path)
  expect((await socket.answer()).status).toBe(400)
  socket.socket.destroy()
})

test('a body in chunks does not wait behind an unanswered request: its connection is closed', async () => {
  const never = Promise.withResolvers<Response>()
  const { url, cuts } = await serve(() => never.promise)
  const socket = await openSocket(url)
  socket.send(
    `${get('/0')}POST /1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(1_000)}`,
  )
  expect(await socket.ended).toBe('')
  expect(cuts()).toMatchObject([{ reason: 'pipelined' }])
})

test('a body of a known length waits unread behind an unanswered request, and is served', async () => {
  const first = Promise.withResolvers<Response>()
  const begun = Promise.withResolvers<void>()
  const { url } = await serve(async (request) => {
    begun.resolve()
    return pathOf(request) === '/0' ? first.promise : new Response(await request.text())
  })
  const socket = await openSocket(url)
  socket.send(`${get('/0')}POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: ${32 * 2 ** 20}\r\n\r\nab`)
  await begun.promise
  await wait(50)
  socket.send('x'.repeat(32 * 2 ** 20 - 2))
  await wait(200)
  expect(socket.socket.writableLength).toBeGreaterThan(2 ** 20)
  first.resolve(new Response('/0'))
  expect((await socket.answer()).text).toBe('/0')
  expect((await socket.answer()).text).toHaveLength(32 * 2 ** 20)
  socket.socket.destroy()
})

test('requests that wait on all connections together are bounded', async () => {
  const never = Promise.withResolvers<Response>()
  const { url, cuts } = await serve(() => never.promise, { pipelinedInAll: 10 })
  const [one, other] = [await openSocket(url), await openSocket(url)]
  one.send(paths(11).map(get).join(''))
  await wait(50)
  other.send(paths(2).map(get).join(''))
  expect(await other.ended).toBe('')
  expect(cuts()).toMatchObject([{ reason: 'pipelined' }])
  // A connection that ends gives back what it had.
  one.socket.destroy()
  await wait(50)
  const third = await openSocket(url)
  third.send(paths(5).map(get).join(''))
  await wait(50)
  expect(third.socket.destroyed).toBe(false)
  third.socket.destroy()
})

test('a reader that takes a little now and then is cut when its time is up', async () => {
  // More than the kernel keeps of what nobody reads (tcp_wmem and tcp_rmem).
  const { url, cuts } = await serve(() => new Response(Buffer.alloc(64 * 2 ** 20, 'x')), {
    answerMs: 200,
    leastRate: 512 * 2 ** 20,
  })
  const { socket } = await openSocket(url)
  socket.pause()
  socket.write(get('/'))
  const sip = setInterval(() => socket.read(1_000), 20)
  closing.push(() => clearInterval(sip))
  await vi.waitUntil(() => cuts().length > 0, { timeout: 10_000 })
  expect(cuts()).toMatchObject([{ reason: 'slow_reader' }])
})

test('a reader that keeps the least rate is served to the end', async () => {
  const { url, cuts } = await serve(() => new Response(Buffer.alloc(64 * 2 ** 20, 'x')), {
    answerMs: 5_000,
    leastRate: 2 ** 20,
  })
  expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(64 * 2 ** 20)
  expect(cuts()).toEqual([])
})

test('a request that asks for an upgrade is answered, and the connection says that it ends', async () => {
  const { url } = await serve((request) => new Response(pathOf(request)))
  const socket = await openSocket(url)
  socket.send(
    `GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${get('/behind')}`,
  )
  const answer = await socket.answer()
  expect([answer.text, answer.headers.get('connection')]).toEqual(['/up', 'close'])
  expect(await socket.ended).toBe('')
})

test('beyond the limit a connection is closed at once', async () => {
  const { url, cuts } = await serve(() => new Response('here'), { connections: 2 })
  const kept = [await openSocket(url), await openSocket(url)]
  const refused = await openSocket(url)
  expect(await refused.ended).toBe('')
  expect(cuts()).toMatchObject([{ reason: 'connections' }])
  for (const each of kept) {
    each.send(get('/'))
    expect((await each.answer()).text).toBe('here')
    each.socket.destroy()
  }
})
