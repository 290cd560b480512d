import pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openPostgres } from '../../../src/database/database.ts'
import { embeddedSession } from '../../../src/database/drivers/session.ts'
import { type Embedded, openInMemory } from '../../../src/database/embedded/embedded.ts'
import { openEmbeddedDatabase } from '../../../src/database/open.ts'
import { migrate } from '../../../src/database/setup/migrate.ts'
import { getTask, taskStatements } from '../../../src/tasks/statements.ts'
import { startApi } from '../../support/api.ts'
import { askOne } from '../../support/ask.ts'
import { type FreshDatabase, freshDatabase } from '../../support/database.ts'
import { type NeonStandIn, startNeonStandIn } from '../../support/neon-stand-in.ts'
import { startProxy } from '../../support/proxy.ts'
import { admin } from '../../support/real-postgres.ts'
import { until } from '../gate.ts'

type Line = { event: string; differences?: string[] }
let lines: Line[]
const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) })
let postgres: FreshDatabase
let neon: NeonStandIn
beforeEach(async () => {
  lines = []
  postgres = await freshDatabase()
  neon = await startNeonStandIn()
})
afterEach(async () => {
  await neon.close()
  await postgres.drop()
})

const leak = 'create policy leak on docket.tasks using (true)'
const named = 'docket.tasks has the policy leak, which the migrations did not make: drop it.'
const told = (event: string) => lines.filter((line) => line.event === event)
const read = (database: Database) =>
  askOne(database, 'ann', getTask, { id: '00000000-0000-4000-8000-000000000001' })

describe.each(['postgres', 'neon-ws', 'neon-http'] as const)('by %s', (driver) => {
  const open = (limits: object = {}) =>
    openPostgres({ url: postgres.url, driver, statements: taskStatements, log, limits })

  /** Ends what is open, so that the next statement needs another connection. */
  const cut = async (database: Database) => {
    neon.cut()
    await admin(
      postgres.url,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    // Over HTTP a lane only ends by a request that fails.
    if (driver === 'neon-http') neon.faulty(() => ({ status: 500, body: 'cut' }))
    await read(database).catch(() => undefined)
    neon.faulty(() => undefined)
    await until(() =>
      read(database).then(
        () => true,
        () => false,
      ),
    )
  }

  test('a leak that appears under a running process is noticed when a connection is opened, told once, and served through', async () => {
    const database = await open()
    expect(database.isolated()).toBe(true)
    await admin(postgres.url, leak)
    await read(database)
    expect(database.isolated()).toBe(true)
    await cut(database)
    expect(database.isolated()).toBe(false)
    await cut(database)
    expect(told('protection_differs').map(({ differences }) => differences)).toEqual([[named]])
    await admin(postgres.url, 'drop policy leak on docket.tasks')
    await cut(database)
    expect(database.isolated()).toBe(true)
    expect(told('protection_restored')).toHaveLength(1)
    await database.close()
  })

  test('it comes back by itself once the leak is gone, without any request', async () => {
    await admin(postgres.url, leak)
    const database = await open({ compareAgainMs: 50 })
    expect(database.isolated()).toBe(false)
    await admin(postgres.url, 'drop policy leak on docket.tasks')
    await until(() => database.isolated())
    await database.close()
  })

  test('a database that does not let itself be compared is not isolated, and still served', async () => {
    await admin(postgres.url, 'alter table docket.migrations rename to moved')
    const database = await open()
    expect(database.isolated()).toBe(false)
    expect(await read(database)).toBeNull()
    expect(told('protection_differs')[0]?.differences).toEqual([
      'Rights and policies cannot be read (42P01): run npx docket doctor.',
    ])
    await database.close()
  })
})

test('the comparison travels with the preparation: a connection opens in as many round trips as without', async () => {
  const proxy = await startProxy(postgres.url)
  const client = new pg.Client({ connectionString: proxy.url })
  await client.connect()
  const login = proxy.flights()
  await client.end()
  const before = proxy.flights()
  const database = await openPostgres({ url: proxy.url, statements: taskStatements, log })
  // Which process answers, and then the preparation together with the comparison.
  expect(proxy.flights() - before).toBe(login + 2)
  expect(database.isolated()).toBe(true)
  await database.close()
  await proxy.close()
})

test('/readyz says so from memory, and the API goes on', async () => {
  const api = await startApi({}, { databaseUrl: postgres.url })
  const ready = async () => {
    const { status, json } = await api.call('/readyz')
    return [status, json().isolation]
  }
  const ann = await api.newOwner()
  expect((await ann.call('/tasks')).status).toBe(200)
  expect(await ready()).toEqual([200, true])
  await admin(postgres.url, leak)
  expect(await ready()).toEqual([200, true])
  await admin(
    postgres.url,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`,
  )
  await until(async () => (await ann.call('/tasks')).status === 200)
  expect(await ready()).toEqual([503, false])
  expect((await ann.call('/tasks', { body: { title: 'x' } })).status).toBe(201)
  await api.close()
})

describe('the embedded database', () => {
  let embedded: Embedded
  beforeAll(async () => {
    embedded = await openInMemory()
    await migrate(embeddedSession(embedded.pglite))
  })
  afterAll(() => embedded.close())

  /** Starts on the database after that was done to it. It is not closed with the start, for the next one. */
  const startAfter = async (sql: string) => {
    await embedded.pglite.exec(`deallocate all; ${sql}`)
    const open = async () => ({ pglite: embedded.pglite, close: async () => undefined })
    return openEmbeddedDatabase({ statements: taskStatements, log, open })
  }

  test('does not start with a leak', async () => {
    await expect(startAfter(leak)).rejects.toMatchObject({ name: 'StartError', exitCode: 78, message: named })
    await embedded.pglite.exec('drop policy leak on docket.tasks')
  })

  test('starts with a right too many, tells it, and is not ready', async () => {
    const { database } = await startAfter('grant delete on docket.owners to docket_app')
    expect(database.isolated()).toBe(false)
    expect(told('protection_differs')[0]?.differences).toEqual([
      expect.stringMatching(/^docket_app has DELETE on docket\.owners, which the migrations did not grant/),
    ])
    await database.close()
    await embedded.pglite.exec('revoke delete on docket.owners from docket_app')
  })

  test('gets missing rights back when it starts', async () => {
    const { database } = await startAfter('revoke all on docket.tasks from docket_app')
    expect(database.isolated()).toBe(true)
    expect(await read(database)).toBeNull()
    await database.close()
  })
})
