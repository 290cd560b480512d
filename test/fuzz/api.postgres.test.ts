import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withSession } from '../../src/database/drivers/session.ts'
import { migrate } from '../../src/database/setup/migrate.ts'
import { type Caller, startApi, type TestApi } from '../support/api.ts'
import { expectDocumented } from '../support/documented-api.ts'
import { openRawConnection, type RawAnswer, type RawConnection } from '../support/raw-connection.ts'
import { admin, type PostgresServer, startPostgres } from '../support/real-postgres.ts'
import { type FuzzedRequest, request } from './requests.ts'

/** How much is tried; the time it takes grows with it. */
const runs = 3_000

let postgres: PostgresServer
let api: TestApi
let owners: { caller: Caller; wire: RawConnection }[]
/** Ids of tasks that are or were somebody's. */
const ids: string[] = []

beforeAll(async () => {
  // A server of its own: its log has to be about nothing else. %e is the SQLSTATE.
  postgres = await startPostgres(['-c', 'log_line_prefix=%e '])
  await withSession(postgres.url, 'TEST_DATABASE_URL', (session) => migrate(session))
  api = await startApi({}, { databaseUrl: postgres.url })
  owners = await Promise.all(
    [0, 1, 2].map(async () => ({ caller: await api.newOwner(), wire: openRawConnection(api.url) })),
  )
})
afterAll(async () => {
  for (const { wire } of owners) wire.close()
  await api.close()
  await postgres.stop()
})

/** The SQLSTATEs of the errors that Postgres logged. */
const errors = () =>
  [...postgres.logged().matchAll(/^(\w{5}) (?:ERROR|FATAL|PANIC):/gm)].map(([, state]) => state)

const guarantee = 'no answer of 500, none that is not documented, no foreign row, nothing altered'
test(`whatever is asked: ${guarantee}`, { timeout: 60_000 }, async () => {
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(request, async (each) => {
      const answer = await ask(each)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    }),
    { numRuns: runs },
  )
  expect(api.logged()).not.toContain('"status":500')
  // Were all of it refused at the door, it would show nothing of what lies behind.
  for (const status of [200, 201, 204, 400, 404, 405, 415, 422])
    expect(statuses.get(status), `answers of ${status}`).toBeGreaterThan(0)
})

test('no input of those reached Postgres as an error of data, of names, of limits or of its own', async () => {
  await expect(admin(postgres.url, `do $$ begin raise sqlstate '22P99'; end $$`)).rejects.toThrow()
  await expect.poll(errors, { timeout: 10_000 }).toContain('22P99')
  expect(errors().filter((state) => /^(?:22|42|54|XX)/.test(state ?? ''))).toEqual(['22P99'])
})

async function ask({ who, method, target, headers, body }: FuzzedRequest): Promise<RawAnswer> {
  const owner = owners[who]
  if (owner === undefined) throw new Error('no such owner')
  const { caller, wire } = owner
  const path = target.replaceAll(
    /\{(\d)\}/g,
    (_, which) => ids.at(-1 - Number(which)) ?? ids[0] ?? 'none-yet',
  )
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: a',
    `Authorization: Bearer ${caller.token}`,
    ...headers,
    `Content-Length: ${body.length}`,
  ]
  const answer = await wire.exchange(`${head.join('\r\n')}\r\n\r\n${body.toString('latin1')}`)
  expect(answer.status).not.toBe(500)
  expect(answer.status).not.toBe(503)
  expectDocumented(method, path, answer)
  if (path.startsWith('/api/v1/tasks') && answer.status < 300 && answer.text !== '') {
    const tasks = [answer.json<Task | Task[]>()].flat()
    for (const { id, owner_id } of tasks) {
      expect(owner_id).toBe(caller.id)
      if (!ids.includes(id)) ids.push(id)
    }
    if (body.length > 0 && method !== 'GET') expect(tasks).toMatchObject([JSON.parse(body.toString())])
  }
  return answer
}

type Task = { id: string; owner_id: string }
