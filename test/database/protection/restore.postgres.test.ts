import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { migratePostgres, openPostgresDatabase } from '../../../src/database/open.ts'
import { createTask, getTask, taskStatements } from '../../../src/tasks/statements.ts'
import { askOne } from '../../support/ask.ts'
import { admin, type PostgresServer, startPostgres, withDatabase } from '../../support/real-postgres.ts'

/** A server of its own: `docket_app` belongs to the whole of it, and is dropped here. */
let server: PostgresServer
const as = (name: string) => withDatabase(server.url, 'app', { name, password: 'secret' })
const url = () => withDatabase(server.url, 'app')
let events: { event: string }[] = []
const log = pino({}, { write: (line: string) => events.push(JSON.parse(line)) })

beforeAll(async () => {
  server = await startPostgres()
  await admin(
    server.url,
    `create role owner login createrole password 'secret'; create role runtime login password 'secret'`,
  )
  await admin(server.url, 'create database app owner owner')
  await migratePostgres({ url: as('runtime'), migrationUrl: as('owner') })
})
afterEach(() => {
  events = []
})
afterAll(() => server.stop())

const migrate = () => migratePostgres({ url: as('runtime'), migrationUrl: as('owner') })
const start = (options: { migrates: boolean } = { migrates: false }) =>
  openPostgresDatabase({
    url: as('runtime'),
    migrationUrl: as('owner'),
    statements: taskStatements,
    log,
    ...options,
  })

const refusal = (...sentences: string[]) => ({
  name: 'StartError',
  exitCode: 78,
  message: sentences.length === 1 ? sentences[0] : expect.stringContaining(sentences.join('\n  ')),
})

/** What `pg_dump --no-acl` and a restore leave of rights: what every new object has. */
const withoutRights = `
  revoke all on schema docket from docket_app, runtime;
  revoke all on all tables in schema docket from docket_app, runtime;
  revoke update (title, description, status, updated_at) on docket.tasks from docket_app;
  revoke update (task_count, byte_count) on docket.owners from docket_app;
  grant execute on all functions in schema docket to public`

const task = { id: '00000000-0000-4000-8000-000000000001', given: { title: 'x' } }
const serves = async () => {
  const { database } = await start()
  const { id } = task
  const read = await askOne(database, 'ann', getTask, { id })
  const served = read ?? (await askOne(database, 'ann', createTask, task))
  await database.close()
  return typeof served === 'string' ? served : JSON.stringify(served)
}

describe('after a restore that leaves rights out', () => {
  test('a start refuses and names each; migrate restores them and says so; then it starts and serves', async () => {
    await admin(url(), withoutRights)
    await admin(
      url(),
      'grant usage on schema docket to runtime; grant select on docket.migrations to runtime',
    )
    await expect(start()).rejects.toMatchObject(
      refusal(
        'docket_app lacks DELETE on docket.tasks: run npx docket migrate.',
        'docket_app lacks INSERT on docket.owners: run npx docket migrate.',
        'docket_app lacks INSERT on docket.tasks: run npx docket migrate.',
        'docket_app lacks SELECT on docket.owners: run npx docket migrate.',
        'docket_app lacks SELECT on docket.tasks: run npx docket migrate.',
        'docket_app lacks UPDATE (byte_count) on docket.owners: run npx docket migrate.',
      ),
    )
    const { applied, restored, differences } = await migrate()
    expect([applied, differences]).toEqual([[], []])
    expect(restored).toEqual(
      expect.arrayContaining([
        'granted INSERT on docket.tasks to docket_app',
        'granted UPDATE (byte_count) on docket.owners to docket_app',
        'granted USAGE on schema docket to docket_app',
        'revoked EXECUTE on routine docket.count_tasks() from PUBLIC',
      ]),
    )
    expect(await serves()).toContain('"title":"x"')
    expect(await migrate()).toEqual({ applied: [], restored: [], differences: [] })
  })

  test('outside production a start restores them, and says so', async () => {
    await admin(url(), withoutRights)
    const { database } = await start({ migrates: true })
    expect(database.isolated()).toBe(true)
    await database.close()
    const restored = expect.arrayContaining(['granted SELECT on docket.tasks to docket_app'])
    expect(events).toEqual([expect.objectContaining({ event: 'migrated', applied: [], restored })])
    expect(await serves()).toContain('"title":"x"')
  })
})

test('in a cluster without docket_app, where its policies could not be made either, migrate makes all of it', async () => {
  await admin(url(), 'drop owned by docket_app; drop role docket_app')
  await admin(url(), 'alter table docket.owners no force row level security')
  await expect(start()).rejects.toMatchObject(
    refusal('The role docket_app does not exist: run npx docket migrate.'),
  )
  const { restored, differences } = await migrate()
  expect(differences).toEqual([])
  expect(restored).toEqual(
    expect.arrayContaining([
      'made the role docket_app',
      'made the policy tasks_own of docket.tasks',
      'made the policy owners_own of docket.owners',
      'put row-level security in force on docket.owners',
    ]),
  )
  expect(await serves()).toContain('"title":"x"')
})

describe('what somebody added', () => {
  test.each<[what: string, sql: string, undo: string, sentence: string]>([
    [
      'a leak',
      'create policy leak on docket.tasks using (true)',
      'drop policy leak on docket.tasks',
      'docket.tasks has the policy leak, which the migrations did not make: drop it.',
    ],
    [
      'a policy that was changed',
      'alter policy owners_own on docket.owners using (true)',
      'drop policy owners_own on docket.owners',
      'The policy owners_own of docket.owners is not the one that the migrations made: drop it, then run npx docket migrate.',
    ],
  ])('%s stops every start, and is named and left alone by migrate', async (_what, sql, undo, sentence) => {
    await admin(url(), sql)
    for (const migrates of [false, true])
      await expect(start({ migrates })).rejects.toMatchObject(refusal(sentence))
    expect(await migrate()).toEqual({ applied: [], restored: [], differences: [sentence] })
    await admin(url(), undo)
    await migrate()
    expect(await serves()).toContain('"title":"x"')
  })

  test('a right too many stops a start in production; elsewhere it is told by the log', async () => {
    const sentence =
      'docket_app has UPDATE on docket.tasks, which the migrations did not grant: run REVOKE UPDATE on docket.tasks FROM docket_app.'
    await admin(url(), 'grant update on docket.tasks to docket_app')
    await expect(start()).rejects.toMatchObject(refusal(sentence))
    const { database } = await start({ migrates: true })
    expect(database.isolated()).toBe(false)
    await database.close()
    expect(events).toEqual([
      expect.objectContaining({ event: 'protection_differs', differences: [sentence] }),
    ])
    await admin(url(), 'revoke update on docket.tasks from docket_app')
    expect(await migrate()).toMatchObject({
      restored: [
        'granted UPDATE (description) on docket.tasks to docket_app',
        'granted UPDATE (status) on docket.tasks to docket_app',
        'granted UPDATE (title) on docket.tasks to docket_app',
      ],
    })
    expect(await serves()).toContain('"title":"x"')
  })
})
