import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import pg from 'pg'
import { expect, test, vi } from 'vitest'
import { type Caller, startApi } from '../support/api.ts'
import { admin } from '../support/real-postgres.ts'

test('what waits for a connection is not sent for a caller who has hung up', async () => {
  const api = await startApi({ DATABASE_CONNECTIONS: '1' }, { onPostgres: true })
  const gate = new pg.Client({ connectionString: api.databaseUrl })
  await gate.connect()
  try {
    const ann = await api.newOwner()
    await ann.call('/tasks', { body: { title: 'the first' } })
    await gate.query('begin')
    await gate.query('lock table docket.tasks in access exclusive mode')
    /** The server has seen by then what was sent before. */
    const settle = async (...puts: Put[]) => {
      await vi.waitUntil(() => puts.every(({ sent }) => sent()))
      for (let i = 0; i < 3; i++) await ann.call('/me')
    }
    // One owner has four in flight at the most; these four wait in Postgres, what comes behind them waits here.
    const inFlight = [1, 2, 3, 4].map((n) => put(api.url, ann, `in flight ${n}`))
    await settle(...inFlight)
    const leaves = put(api.url, ann, 'leaves')
    const stays = put(api.url, ann, 'stays')
    await settle(leaves, stays)
    leaves.hangUp()
    expect(await leaves.status).toBeUndefined()
    await settle()
    await gate.query('rollback')
    expect(await Promise.all([...inFlight, stays].map(({ status }) => status))).toEqual(Array(5).fill(201))
    const titles = await admin(api.databaseUrl, 'select title from docket.tasks order by title')
    expect(titles.map(({ title }) => title)).toEqual([
      ...[1, 2, 3, 4].map((n) => `in flight ${n}`),
      'stays',
      'the first',
    ])
  } finally {
    await gate.end()
    await api.close()
  }
})

type Put = ReturnType<typeof put>

/** A PUT on a connection of its own, which can be hung up on. */
function put(url: string, owner: Caller, title: string) {
  const head = { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' }
  const sending = request(`${url}/api/v1/tasks/${randomUUID()}`, {
    method: 'PUT',
    headers: head,
    agent: false,
  })
  const status = new Promise<number | undefined>((resolve) => {
    sending.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sending.on('error', () => resolve(undefined))
  })
  sending.end(JSON.stringify({ title }))
  return { status, sent: () => sending.writableFinished, hangUp: () => sending.destroy() }
}
