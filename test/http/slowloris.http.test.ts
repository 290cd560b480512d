import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, type Caller, startApi, type TestApi } from '../support/api.ts'
import { openSocket, type RawSocket } from '../support/raw-socket.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

/** Starts of requests that are never finished, and whether they go on, an `x` at a time. */
const starts = (token: string): readonly [bytes: string, goesOn: boolean][] => [
  ['', false],
  ['G', false],
  ['GET /api/v1/tasks?', true],
  ['GET /api/v1/tasks HTTP/1.1\r\n', true],
  ['GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\nX-Slow: ', true],
  [`GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`, false],
  [
    `POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{`,
    true,
  ],
]

test('500 connections that never finish a request keep nobody from being answered', async () => {
  const slow: RawSocket[] = []
  const drips: RawSocket[] = []
  const kinds = starts(ann.token)
  for (let i = 0; i < 500; i++) {
    const [bytes, goesOn] = kinds[i % kinds.length] ?? ['', false]
    const socket = await openSocket(api.url)
    socket.send(bytes)
    slow.push(socket)
    if (goesOn) drips.push(socket)
  }
  const dripping = setInterval(() => {
    for (const socket of drips) if (socket.socket.writable) socket.send('x')
  }, 100)

  const answers: Answer[] = []
  for (let round = 0; round < 10; round++) {
    const writes = [0, 1].map((each) => ann.call('/tasks', { body: { title: `${round}.${each}` } }))
    const reads = [ann.call('/tasks'), ann.call('/me'), api.call('/livez')]
    answers.push(...(await Promise.all([...writes, ...reads])))
    if (round === 0) expect(slow.filter(({ socket }) => !socket.destroyed).length).toBe(500)
  }
  clearInterval(dripping)
  expect(answers.map(({ status }) => status)).toEqual(
    Array.from({ length: 10 }, () => [201, 201, 200, 200, 200]).flat(),
  )
  for (const { socket } of slow) socket.destroy()
  await Promise.all(slow.map(({ ended }) => ended))
  expect((await ann.call('/tasks')).json<unknown[]>()).toHaveLength(20)
})
