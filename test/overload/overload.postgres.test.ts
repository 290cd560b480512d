import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { pressureLimits } from '../../src/http/gate/load-shedding.ts'
import { type Answer, type Caller, startApi, type TestApi } from '../support/api.ts'

let api: TestApi
let lock: pg.Client
beforeAll(async () => {
  api = await startApi({ DATABASE_CONNECTIONS: '1' }, { onPostgres: true })
  lock = new pg.Client({ connectionString: api.databaseUrl })
  await lock.connect()
})
afterAll(async () => {
  await lock.end()
  await api.close()
})

/** Everything that reads or writes tasks waits while `work` runs. */
async function whileTasksAreLocked(work: () => Promise<void>): Promise<void> {
  await lock.query('begin; lock table docket.tasks in access exclusive mode')
  try {
    await work()
  } finally {
    await lock.query('rollback')
  }
}

const logged = () => api.logged().trim().split('\n')
const waitingInPostgres = async () => {
  const { rows } = await lock.query("select 1 from pg_locks where not granted and locktype = 'relation'")
  return rows.length
}

describe('more than the database can do', () => {
  const answers: Answer[] = []
  const asked: Promise<unknown>[] = []
  const ask = (caller: Caller) =>
    asked.push(
      caller.call('/tasks').then((answer) => {
        answers.push(answer)
      }),
    )

  test('is refused with 503 and Retry-After, at once; what came before waits on', async () => {
    const owners = await Promise.all(Array.from({ length: 150 }, () => api.newOwner()))
    // Known tokens and an open connection, so that nothing else takes time.
    for (const owner of owners) await owner.call('/me')
    await whileTasksAreLocked(async () => {
      for (let i = 0; i < (pressureLimits.waiting + 100) / 150 + 1; i++)
        for (const owner of owners) ask(owner)
      await vi.waitUntil(() => answers.length > 0)
      const [first] = answers
      expect(first?.status).toBe(503)
      expect(first?.json().code).toBe('unavailable')
      expect(first?.headers.get('retry-after')).toMatch(/^[1-3]$/)
      // Health and refusals are not part of it.
      const bearer = { authorization: 'Bearer x' }
      expect((await api.call('/livez')).status).toBe(200)
      expect((await api.call('/readyz')).status).toBe(200)
      expect((await api.call('/api/v1/tasks')).status).toBe(401)
      expect((await api.call('/api/v1/tasks', { headers: bearer })).status).toBe(401)
      expect((await api.call('/api/v1/nothing', { headers: bearer })).status).toBe(401)
    })
    await Promise.all(asked)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]))
    // Right after it everything is as before.
    for (const owner of owners) expect((await owner.call('/tasks')).status).toBe(200)
  })

  test('is told in the log once, and with each request that was refused', () => {
    const told = logged().filter((line) => line.includes('"event":"overloaded"'))
    expect(told.map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ by: 'queue' })])
    const refusals = logged().filter((line) => line.includes('"reason":"overload_queue"'))
    // On a slow machine some of those who wait lose patience with the database instead.
    const late = logged().filter((line) => line.includes('"reason":"database"'))
    expect(refusals.length + late.length).toBe(answers.filter(({ status }) => status === 503).length)
    expect(refusals.length).toBeGreaterThan(0)
    expect(refusals.length).toBeLessThanOrEqual(answers.length - pressureLimits.waiting)
  })
})

test('whoever asks most is in front of nobody by more than a turn', async () => {
  const [loud, quiet] = [await api.newOwner(), await api.newOwner()]
  await loud.call('/tasks')
  await quiet.call('/tasks')
  const order: string[] = []
  const note = (who: string) => () => void order.push(who)
  const asked: Promise<void>[] = []
  await whileTasksAreLocked(async () => {
    for (let i = 0; i < 200; i++) asked.push(loud.call('/tasks?limit=500').then(note('loud')))
    await vi.waitUntil(waitingInPostgres)
    asked.push(quiet.call('/tasks').then(note('quiet')))
    // Long enough for the quiet one to arrive: a request that came behind it was answered.
    await api.call('/api/v1/tasks')
    await quiet.call('/me')
  })
  await Promise.all(asked)
  expect(order).toHaveLength(201)
  // Four of the loud one were sent before; their answers, and those of a burst behind, may be heard first.
  expect(order.indexOf('quiet')).toBeLessThanOrEqual(20)
})
