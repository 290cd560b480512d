import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { toNodeHandler } from '../../src/node.ts'
import type { TodoApi } from '../../src/todo-api.ts'

/** Before any handler is made. */
const globals = [globalThis.Request, globalThis.Response]

/** What a request looks like to the API, as an answer. */
const mirror: Pick<TodoApi, 'fetch'> = {
  fetch: async (request, connection) =>
    Response.json({
      method: request.method,
      path: new URL(request.url).pathname,
      body: await request.text(),
      address: connection?.incoming.socket.remoteAddress,
    }),
}

const servers: ReturnType<typeof createServer>[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a request of a Node server reaches the API whole, with the address of its connection', async () => {
  const url = await serve(toNodeHandler(mirror))
  const response = await fetch(`${url}/api/v1/tasks?limit=1`, { method: 'POST', body: 'text' })
  expect(await response.json()).toEqual({
    method: 'POST',
    path: '/api/v1/tasks',
    body: 'text',
    address: '127.0.0.1',
  })
})

test('under a path of Express, which cuts it off, the API sees the whole path', async () => {
  const handler = toNodeHandler(mirror)
  const url = await serve((request, response) => {
    Object.assign(request, { originalUrl: request.url, url: request.url?.replace('/api/v1', '') })
    return handler(request, response)
  })
  expect(await (await fetch(`${url}/api/v1/tasks`)).json()).toMatchObject({ path: '/api/v1/tasks' })
})

test('a Host header that makes no URL is answered 400 in problem JSON', async () => {
  const url = await serve(toNodeHandler(mirror))
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n')
  const chunks = await socket.setEncoding('utf8').toArray()
  expect(chunks.join('')).toMatch(/^HTTP\/1\.1 400 [\s\S]+application\/problem\+json[\s\S]+malformed_request/)
})

test('the global classes of the app stay what they are', async () => {
  await fetch(await serve(toNodeHandler(mirror)))
  expect(globalThis.Request).toBe(globals[0])
  expect(globalThis.Response).toBe(globals[1])
})
