import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withSession } from '../../src/database/drivers/session.ts'
import { migratePostgres, openPostgresDatabase } from '../../src/database/open.ts'
import { checkRole } from '../../src/database/setup/roles.ts'
import { createTask, getTask } from '../../src/tasks/statements.ts'
import { allStatements, ownersSeen } from '../isolation/unlocked.ts'
import { askOne } from '../support/ask.ts'
import { admin, type PostgresServer, startPostgres, withDatabase } from '../support/real-postgres.ts'

/**
 * A server of its own: roles belong to the whole of it, and what is done to `docket_app` here would be seen by
 * every other test. The order of the tests is the life of a server, from before `docket_app` exists.
 */
let server: PostgresServer
const as = (name: string) => withDatabase(server.url, 'app', { name, password: 'secret' })
beforeAll(async () => {
  server = await startPostgres()
  await admin(
    server.url,
    `create role plain login password 'secret'; create role owner login createrole password 'secret';
     create role runtime login password 'secret'; create role stranger login password 'secret'`,
  )
  await admin(server.url, 'create database app owner owner')
})
afterAll(() => server.stop())

const start = (url: string, migrates = false) =>
  openPostgresDatabase({
    url,
    migrationUrl: url,
    migrates,
    statements: allStatements,
    log: pino({ level: 'silent' }),
  })

const refusal = (sentence: RegExp) => ({
  name: 'StartError',
  exitCode: 78,
  message: expect.stringMatching(sentence),
})

const task = { id: '00000000-0000-4000-8000-000000000001', given: { title: 'x' } }

test('without docket_app nothing starts: it is said what to run', async () => {
  await expect(withSession(server.url, 'DATABASE_URL', checkRole)).rejects.toMatchObject(
    refusal(/docket_app does not exist: run npx docket migrate/),
  )
})

test('a login without CREATEROLE cannot migrate: it is said which one can', async () => {
  await admin(server.url, 'create database plains owner plain')
  const url = withDatabase(server.url, 'plains', { name: 'plain', password: 'secret' })
  await expect(start(url, true)).rejects.toMatchObject(refusal(/CREATEROLE in DATABASE_MIGRATION_URL/))
  expect(
    await admin(withDatabase(server.url, 'plains'), "select to_regnamespace('docket') as there"),
  ).toEqual([{ there: null }])
})

describe('a plain owner of the database with CREATEROLE, no superuser,', () => {
  test('migrates and serves, again and again', async () => {
    for (const round of [1, 2]) {
      const { database } = await start(as('owner'), true)
      const mine = { ...task, id: task.id.replace(/1$/, String(round)) }
      expect(await askOne(database, 'ann', createTask, mine)).toMatchObject({ title: 'x' })
      expect(await askOne(database, 'ann', getTask, { id: mine.id })).toContain('"owner_id":"ann"')
      expect(await askOne(database, 'bob', ownersSeen, {})).toBeNull()
      await database.close()
    }
  })

  test('is itself held to the policies of its own table', async () => {
    expect(await admin(as('owner'), 'select * from docket.tasks')).toEqual([])
    expect(await admin(withDatabase(server.url, 'app'), 'select id from docket.tasks')).toHaveLength(2)
  })
})

test('a login that only serves: migrated by another, it may do what is needed and nothing by itself', async () => {
  await expect(start(as('runtime'))).rejects.toMatchObject(
    refusal(/no rights yet: run npx docket migrate with the database owner in DATABASE_MIGRATION_URL/),
  )
  expect(await migratePostgres({ url: as('runtime'), migrationUrl: as('owner') })).toEqual({
    applied: [],
    restored: [],
    differences: [],
  })
  const { database } = await start(as('runtime'))
  expect(await askOne(database, 'ann', getTask, { id: task.id })).toContain('"owner_id":"ann"')
  expect(await askOne(database, 'bob', ownersSeen, {})).toBeNull()
  await database.close()
  await expect(admin(as('runtime'), 'select * from docket.tasks')).rejects.toMatchObject({ code: '42501' })
  await expect(admin(as('runtime'), 'delete from docket.migrations')).rejects.toMatchObject({ code: '42501' })
  await admin(
    as('runtime'),
    `insert into docket.rate_windows values ('a', 1, 0) on conflict (key) do update set points = 2;
     delete from docket.rate_windows`,
  )
  await expect(admin(as('runtime'), 'truncate docket.rate_windows')).rejects.toMatchObject({ code: '42501' })
})

describe('what would take isolation away stops the start:', () => {
  const app = () => withDatabase(server.url, 'app')

  test.each<[what: string, how: string, undo: string, sentence: RegExp]>([
    [
      'docket_app with BYPASSRLS',
      'alter role docket_app bypassrls',
      'alter role docket_app nobypassrls',
      /could bypass row-level security: run ALTER ROLE docket_app NOSUPERUSER NOBYPASSRLS/,
    ],
    [
      'docket_app as superuser',
      'alter role docket_app superuser',
      'alter role docket_app nosuperuser',
      /could bypass row-level security/,
    ],
    [
      'policies not forced',
      'alter table docket.tasks no force row level security',
      'alter table docket.tasks force row level security',
      /not in force on docket\.tasks/,
    ],
    [
      'policies not enabled',
      'alter table docket.tasks disable row level security',
      'alter table docket.tasks enable row level security',
      /not in force on docket\.tasks/,
    ],
  ])('%s', async (_what, how, undo, sentence) => {
    await admin(app(), how)
    try {
      for (const login of ['runtime', 'owner'])
        await expect(start(as(login))).rejects.toMatchObject(refusal(sentence))
    } finally {
      await admin(app(), undo)
    }
    const { database } = await start(as('runtime'))
    await database.close()
  })

  test('a login that may not become docket_app', async () => {
    await admin(
      app(),
      'grant usage on schema docket to stranger; grant select on docket.migrations to stranger',
    )
    await expect(start(as('stranger'))).rejects.toMatchObject(
      refusal(/may not become docket_app: run npx docket migrate/),
    )
  })

  test('a Postgres that is too old', async () => {
    await admin(
      app(),
      `create schema old; grant usage on schema old to stranger;
       create function old.current_setting(text) returns text language sql as
         $$ select case $1 when 'server_version_num' then '140012' else pg_catalog.current_setting($1) end $$;
       alter role stranger set search_path = old, pg_catalog`,
    )
    await expect(start(as('stranger'))).rejects.toMatchObject(
      refusal(/^Postgres 14 is too old: Docket needs 15 or newer\.$/),
    )
    await expect(start(as('stranger'), true)).rejects.toMatchObject(refusal(/^Postgres 14 is too old/))
  })
})

test('a login role may be called anything', async () => {
  await admin(server.url, `create role "we$$ird'x" login`)
  await admin(server.url, 'create database odd')
  const url = withDatabase(server.url, 'odd')
  const odd = withDatabase(server.url, 'odd', { name: "we$$ird'x", password: '' })
  await migratePostgres({ url: odd, migrationUrl: url })
  const [row] = await admin(url, `select pg_has_role('we$$ird''x', 'docket_app', 'SET') as may`)
  expect(row).toEqual({ may: true })
})

test('a database that cannot store every text stops the start', async () => {
  await admin(server.url, "create database latin encoding 'LATIN1' locale 'C' template template0")
  const latin = withDatabase(server.url, 'latin')
  await expect(start(latin, true)).rejects.toMatchObject(refusal(/encoded in LATIN1/))
})
