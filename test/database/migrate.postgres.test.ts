import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { migratePostgres, openPostgresDatabase } from '../../src/database/open.ts'
import { readMigrations } from '../../src/database/setup/migrate.ts'
import { taskStatements } from '../../src/tasks/statements.ts'
import { admin, withDatabase } from '../support/real-postgres.ts'
import { until } from './gate.ts'

const advisoryLock = 4_036_255_374
const everyMigration = (await readMigrations()).map(({ name }) => name)

/** What the first migration of a database comes to. */
const done = { applied: everyMigration, restored: [], differences: [] }

let name: string
let url: string
beforeEach(async () => {
  name = `docket_empty_${randomBytes(6).toString('hex')}`
  await admin(inject('postgresUrl'), `create database ${name}`)
  url = withDatabase(inject('postgresUrl'), name)
})
afterEach(() => admin(inject('postgresUrl'), `drop database if exists ${name} with (force)`))

const migrate = () => migratePostgres({ url, migrationUrl: url })
const start = () =>
  openPostgresDatabase({
    url,
    migrationUrl: url,
    migrates: false,
    statements: taskStatements,
    log: pino({ level: 'silent' }),
  })

test('migrating applies every file once, in order; a second time there is nothing to do', async () => {
  expect(await migrate()).toEqual(done)
  const applied = () =>
    admin(url, 'select version, name, checksum, applied_at from docket.migrations order by version')
  const first = await applied()
  expect(first.map((row) => row.name)).toEqual(everyMigration)
  expect(await migrate()).toEqual({ applied: [], restored: [], differences: [] })
  expect(await applied()).toEqual(first)
})

test('processes that migrate at the same time do it once', async () => {
  const holder = new pg.Client({ connectionString: url })
  await holder.connect()
  await holder.query(`select pg_advisory_lock(${advisoryLock})`)
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
  const environment = { PATH: process.env.PATH, NODE_ENV: 'test', DATABASE_URL: url }
  const run = () => promisify(execFile)(process.execPath, [cli, 'migrate'], { env: environment })
  const runs = Promise.all([run(), run(), migrate()])
  await until(async () => {
    const { rows } = await holder.query(
      "select count(*)::int as waiting from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())",
    )
    return rows[0].waiting === 3
  })
  await holder.query(`select pg_advisory_unlock(${advisoryLock})`)
  const [one, two, three] = await runs
  const did = [one.stdout + one.stderr, two.stdout + two.stderr, JSON.stringify(three)]
  expect(did.filter((said) => said.includes(everyMigration[0] ?? ''))).toHaveLength(1)
  expect(await admin(url, 'select name from docket.migrations order by version')).toHaveLength(
    everyMigration.length,
  )
  await holder.end()
})

test('a migration that fails leaves nothing behind, and works once the cause is gone', async () => {
  await admin(url, 'create schema docket; create table docket.tasks (in_the_way integer)')
  await expect(migrate()).rejects.toMatchObject({ code: '42P07' })
  expect(
    await admin(url, "select relname from pg_class where relnamespace = 'docket'::regnamespace"),
  ).toEqual([{ relname: 'tasks' }])
  await admin(url, 'drop table docket.tasks')
  expect(await migrate()).toEqual(done)
})

test('a database that a newer program migrated is not touched and not served', async () => {
  await migrate()
  await admin(
    url,
    "insert into docket.migrations (version, name, checksum) values (9999, '9999_later.sql', 'x')",
  )
  for (const attempt of [migrate, start])
    await expect(attempt()).rejects.toMatchObject({
      name: 'StartError',
      exitCode: 78,
      message: expect.stringMatching(
        /newer Docket \(it has 9999_later\.sql\).*(start that version|restore a backup)/,
      ),
    })
})

test('a migration that was changed after it was applied is refused by name', async () => {
  await migrate()
  await admin(url, "update docket.migrations set checksum = 'another' where version = 1")
  for (const attempt of [migrate, start])
    await expect(attempt()).rejects.toMatchObject({
      name: 'StartError',
      exitCode: 78,
      message: expect.stringMatching(/0001_tasks\.sql was changed.*restore the file/),
    })
})

test('a database that is behind is not served: it is said what to run', async () => {
  await expect(start()).rejects.toMatchObject({
    name: 'StartError',
    exitCode: 78,
    message: expect.stringMatching(/run npx docket migrate/),
  })
})
