import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  cleanUp,
  copyOf,
  type Docket,
  leaks,
  listTasks,
  preparedFolder,
  type RunOptions,
  startDocket,
  tokenOf,
} from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let prepared: string
beforeAll(async () => {
  prepared = await preparedFolder()
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
})

const start = async (options: RunOptions = {}) =>
  startDocket({ DATA_DIR: await copyOf(prepared), ...options.environment }, options)

/** A connection to the server, and everything that came back on it. */
async function dial(url: string) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8')
  const seen = { text: '' }
  socket.on('data', (chunk) => {
    seen.text += chunk
  })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return { socket, seen }
}

/** Sends the head of a create and half of its body, and waits until the server has asked for the rest. */
async function half(server: Docket, token: string) {
  const { socket, seen } = await dial(server.url)
  const body = JSON.stringify({ title: 'in flight' })
  socket.write(
    `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  await vi.waitUntil(() => seen.text.includes('100 Continue'), { timeout: 10_000 })
  socket.write(body.slice(0, 5))
  return { socket, seen, rest: body.slice(5) }
}

const closed = (socket: Socket) => (socket.destroyed ? Promise.resolve() : once(socket, 'close'))

const refuses = async (url: string) => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const outcome = await Promise.race([
    once(socket, 'connect').then(() => 'accepted'),
    once(socket, 'error').then(([error]) => error.code),
  ]).catch((error) => error.code)
  socket.destroy()
  return outcome
}

describe.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s', (signal, code) => {
  test('lets a request in flight have its answer, refuses newcomers, is not ready, and exits 0', async () => {
    const server = await start()
    const token = await tokenOf(server.url, 'ann')
    const { socket, seen, rest } = await half(server, token)
    server.kill(signal)
    await server.says(/"event":"stop"/)
    expect(await refuses(server.url)).toBe('ECONNREFUSED')

    socket.write(`${rest}GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await closed(socket)
    const answers = seen.text.split(/(?=HTTP\/1\.1 [2-5])/).filter((text) => /^HTTP\/1\.1 [2-5]/.test(text))
    expect(answers).toHaveLength(2)
    expect(answers[0]).toMatch(/^HTTP\/1\.1 201 /)
    expect(answers[1]).toMatch(/^HTTP\/1\.1 503 [\s\S]+"serving":false/)
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect(server.lines().map(({ event }) => event)).toEqual(
      expect.arrayContaining(['start', 'stop', 'stopped']),
    )
  })

  test('twice at once, as npm and a terminal send it, is one signal', async () => {
    const server = await start()
    server.kill(signal)
    server.kill(signal)
    expect(await server.ended).toEqual({ code: 0, signal: null })
  })

  test('again while it drains ends it at once, with the code that shells know', async () => {
    const server = await start()
    const { socket } = await half(server, await tokenOf(server.url, 'ann'))
    server.kill(signal)
    await server.says(/"event":"stop"/)
    const again = setInterval(() => server.kill(signal), 50)
    expect(await server.ended.finally(() => clearInterval(again))).toEqual({ code, signal: null })
    expect(server.stdout()).not.toContain('"stopped"')
    await closed(socket)
  })
})

test('idle connections do not hold it up, and a client that never finishes is cut', async () => {
  const server = await start()
  const agent = new Agent({ keepAlive: true, maxSockets: 5 })
  const idle = Array.from({ length: 5 }, async () => {
    const [response] = await once(get(`${server.url}/livez`, { agent }), 'response')
    response.resume()
    await once(response, 'end')
  })
  await Promise.all(idle)
  const silent = await dial(server.url)
  const stuck = await half(server, await tokenOf(server.url, 'ann'))
  server.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
  // By itself, not by the last resort that also exits 0.
  expect(server.lines().map(({ event }) => event)).toContain('stopped')
  expect(server.stdout()).not.toContain('stop_late')
  await Promise.all([closed(stuck.socket), closed(silent.socket)])
  agent.destroy()
})

test('a signal right behind the banner is a signal to stop', async () => {
  const server = await start()
  await server.says(/Docket is listening/)
  server.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
})

test('an uncaught exception is logged as JSON and ends the process with 70; the data is whole', async () => {
  const dataDir = await copyOf(prepared)
  // The defect comes from outside: nothing in the product can be made to throw on demand.
  const preload = "process.on('SIGUSR2', () => { throw new Error('a defect') })"
  const server = await startDocket(
    { DATA_DIR: dataDir },
    { nodeFlags: ['--import', `data:text/javascript,${encodeURIComponent(preload)}`] },
  )
  const token = await tokenOf(server.url, 'ann')
  server.kill('SIGUSR2')
  expect(await server.ended).toEqual({ code: 70, signal: null })
  expect(server.lines().at(-1)).toMatchObject({ level: 60, event: 'crash' })
  expect(server.stdout()).toContain('a defect')

  const next = await start({ environment: { DATA_DIR: dataDir } })
  expect(await listTasks(next.url, await tokenOf(next.url, 'ann'))).toEqual([])
  expect(token).not.toBe('')
  next.kill('SIGKILL')
})
