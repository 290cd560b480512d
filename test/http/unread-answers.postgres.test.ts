import { connect } from 'node:net'
import { expect, test, vi } from 'vitest'
import { startApi } from '../support/api.ts'
import { admin } from '../support/real-postgres.ts'

async function ownerOfLongTasks(api: Awaited<ReturnType<typeof startApi>>) {
  const owner = await api.newOwner()
  await admin(
    api.databaseUrl,
    `insert into docket.tasks (owner_id, id, title, description)
     select '${owner.id}', gen_random_uuid(), 'Long', repeat('語', 10000) from generate_series(1, 40)`,
  )
  return owner
}

test('responses to a caller that hung up before they were made hold nothing', async () => {
  const api = await startApi({}, { onPostgres: true })
  try {
    const ann = await ownerOfLongTasks(api)
    const answered = () => api.logged().split('"route":"/api/v1/tasks"').length - 1
    // More than an owner may hold of a quarter of any heap.
    for (let n = 1; n <= 60; n++) {
      const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
      socket.end(
        `GET /api/v1/tasks?limit=40 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n\r\n`,
        () => socket.destroy(),
      )
      await vi.waitUntil(() => answered() === n, { timeout: 10_000 })
    }
    expect((await ann.call('/tasks?limit=40')).status).toBe(200)
  } finally {
    await api.close()
  }
})

test('an owner who reads nothing is refused more, others are not, and what ends is given back', async () => {
  const api = await startApi({}, { onPostgres: true })
  try {
    const [ann, bob] = [await ownerOfLongTasks(api), await ownerOfLongTasks(api)]
    const sockets = Array.from({ length: 60 }, () =>
      connect(Number(new URL(api.url).port), '127.0.0.1').pause(),
    )
    const request = `GET /api/v1/tasks?limit=40 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n\r\n`
    // The kernel keeps a few of what nobody reads on one connection; more than those wait in the process.
    for (const socket of sockets) socket.write(request.repeat(8))
    const refused = () => api.logged().includes('"reason":"unread_answers"')
    await vi.waitUntil(refused, { timeout: 15_000 })
    const [told, served] = [await ann.call('/tasks?limit=40'), await bob.call('/tasks?limit=40')]
    expect(told.status).toBe(429)
    expect(told.json()).toMatchObject({
      code: 'rate_limited',
      detail: expect.stringMatching(/^Read the responses/),
    })
    expect(told.headers.get('retry-after')).toBe('1')
    expect(served.status).toBe(200)
    for (const socket of sockets) socket.destroy()
    await vi.waitUntil(async () => (await ann.call('/tasks?limit=40')).status === 200)
  } finally {
    await api.close()
  }
}, 60_000)
