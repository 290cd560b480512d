import { connect } from 'node:net'
import { expect, test, vi } from 'vitest'
import { startApi } from '../support/api.ts'
import { admin } from '../support/real-postgres.ts'

test('one that hangs up before its large answer is made leaves none unread', async () => {
  const api = await startApi({}, { onPostgres: true })
  try {
    const ann = await api.newOwner()
    await admin(
      api.databaseUrl,
      `insert into docket.tasks (owner_id, id, title, description)
       select '${ann.id}', gen_random_uuid(), 'Long', repeat('x', 1000) from generate_series(1, 500)`,
    )
    const answered = () => api.logged().split('"route":"/api/v1/tasks"').length - 1
    for (let n = 1; n <= 6; n++) {
      const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
      socket.end(
        `GET /api/v1/tasks?limit=500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n\r\n`,
        () => socket.destroy(),
      )
      await vi.waitUntil(() => answered() === n, { timeout: 10_000 })
    }
    expect((await ann.call('/me')).status).toBe(200)
  } finally {
    await api.close()
  }
})

test('an owner who reads no answers gets no more large ones, until some are read or hung up on', async () => {
  const api = await startApi({}, { onPostgres: true })
  try {
    const [ann, bob] = [await api.newOwner(), await api.newOwner()]
    // 12 MB each: Linux alone keeps up to 4 MB of what nobody reads (tcp_wmem), or more.
    await admin(
      api.databaseUrl,
      `insert into docket.tasks (owner_id, id, title, description)
       select '${ann.id}', gen_random_uuid(), 'Long', repeat('語', 10000) from generate_series(1, 400)`,
    )
    const sockets = Array.from({ length: 12 }, () =>
      connect(Number(new URL(api.url).port), '127.0.0.1').pause(),
    )
    for (const socket of sockets)
      socket.write(
        `GET /api/v1/tasks?limit=400 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n\r\n`,
      )
    const answered = () =>
      api
        .logged()
        .split('\n')
        .filter((line) => line.includes('"route":"/api/v1/tasks"'))
    await vi.waitUntil(() => answered().length === 12, { timeout: 10_000 })
    // Those under way together are four at the most, and were asked for before the first four were known to be unread.
    const refused = await ann.call('/me')
    expect(refused.status).toBe(429)
    expect(refused.json().code).toBe('rate_limited')
    expect(refused.json().detail).toMatch(/^Read the answers/)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await bob.call('/me')).status).toBe(200)
    for (const socket of sockets) socket.destroy()
    await vi.waitUntil(async () => (await ann.call('/me')).status === 200)
  } finally {
    await api.close()
  }
})
