import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, startApi, type TestApi } from '../support/api.ts'
import { openSocket, type RawSocket } from '../support/raw-socket.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

const heads = [
  '',
  'G',
  'GET /api/v1/tasks HTTP/1.1\r\n',
  'GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\nX-Slow: ',
  'POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{',
]

test('500 connections that never finish a request keep nobody from being answered', async () => {
  const own = `GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n`
  const upload = `POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`
  const starts = [...heads, own, upload]
  const slow: RawSocket[] = []
  for (let i = 0; i < 500; i++) {
    const socket = await openSocket(api.url)
    socket.send(starts[i % starts.length] ?? '')
    slow.push(socket)
  }
  let dripped = 0
  const drip = setInterval(() => {
    for (const { socket } of slow.slice(dripped % 10, 500)) if (socket.writable) socket.write('x')
    dripped++
  }, 100)

  const answers = []
  for (let i = 0; i < 10; i++) {
    const five = Array.from({ length: 5 }, (_, j) =>
      j % 2 === 0 ? ann.call('/tasks') : ann.call('/tasks', { body: { title: `${i}.${j}` } }),
    )
    answers.push(...(await Promise.all(five)))
  }
  clearInterval(drip)
  expect(answers.map(({ status }) => status)).toEqual(
    Array.from({ length: 50 }, (_, i) => ((i % 5) % 2 === 0 ? 200 : 201)),
  )
  expect(slow.filter(({ socket }) => !socket.destroyed).length).toBeGreaterThan(300)
  for (const { socket } of slow) socket.destroy()
  await Promise.all(slow.map(({ ended }) => ended))
  expect((await ann.call('/tasks')).json<unknown[]>()).toHaveLength(20)
})
