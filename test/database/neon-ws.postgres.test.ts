import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openPostgres, type PostgresOptions } from '../../src/database/database.ts'
import { migratePostgres, openPostgresDatabase } from '../../src/database/open.ts'
import { createTask, taskStatements } from '../../src/tasks/statements.ts'
import { marksTable, whoAmI, workloadStatements } from '../isolation/failing.ts'
import { runWorkload } from '../isolation/workload.ts'
import { askOne } from '../support/ask.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { type NeonStandIn, startNeonStandIn } from '../support/neon-stand-in.ts'
import { admin, withDatabase } from '../support/real-postgres.ts'
import { echo, nap, outcome, until, writeAtGate } from './gate.ts'

let postgres: FreshDatabase
let proxy: NeonStandIn
let opened: Database | undefined
let logged: string[]

beforeAll(async () => {
  postgres = await freshDatabase()
  await admin(postgres.url, marksTable)
})
beforeEach(async () => {
  proxy = await startNeonStandIn()
  logged = []
})
afterEach(async () => {
  await opened?.close()
  opened = undefined
  await proxy.close()
  await admin(postgres.url, 'delete from docket.tasks')
})
afterAll(() => postgres.drop())

const statements = [...workloadStatements, echo, nap, writeAtGate]
const open = async (limits: PostgresOptions['limits'] = {}, url = postgres.url) => {
  const log = pino({}, { write: (line: string) => logged.push(JSON.parse(line).event) })
  opened = await openPostgres({ url, driver: 'neon-ws', statements, log, limits })
  return opened
}
const rows = () => admin(postgres.url, 'select owner_id, title from docket.tasks')
const connections = (whose = '') =>
  admin(
    postgres.url,
    `select pid from pg_stat_activity
      where datname = current_database() and application_name = 'docket' ${whose}`,
  )

test('the owner is entered as over TCP, and what is sent by name was prepared before', async () => {
  const database = await open({ connections: 1 })
  expect(await askOne(database, 'ann', whoAmI, { word: 'x' })).toBe('ann ann docket_app x')
  expect(await askOne(database, 'bob', whoAmI, { word: 'y' })).toBe('bob bob docket_app y')
  expect(proxy.sockets()).toBe(1)
  expect(proxy.requests()).toEqual([])
})

test('many callers, a fifth of them failing inside Postgres: each answer is its caller’s, a failed write left nothing', async () => {
  const database = await open({ connections: 4 })
  const report = await runWorkload(database, { owners: 10, workers: 4, requests: 15 })
  expect(report).toMatchObject({ wrong: [], settled: 600, failedInside: 120 })
  const there = await admin(
    postgres.url,
    "select concat_ws(' ', owner_id, id, title) as row from docket.tasks",
  )
  expect(there.map(({ row }) => String(row)).sort()).toEqual(report.rows)
  expect(proxy.sockets()).toBe(4)
})

test('a connection holds one batch at a time, so a slow one has nobody behind it', async () => {
  const database = await open({ connections: 2 })
  const slow = outcome(askOne(database, 'ann', nap, { word: '0.5' }))
  const quick = ['1', '2', '3', '4', '5'].map((word) => askOne(database, 'bob', echo, { word }))
  const first = await Promise.race([slow, Promise.all(quick)])
  expect(first).toEqual(['1', '2', '3', '4', '5'])
  expect(await slow).toBe('')
})

test('a write whose answer is lost was done once and is not sent again', async () => {
  const database = await open({ connections: 1 })
  proxy.freeze('answers')
  const write = outcome(askOne(database, 'ann', writeAtGate, { word: 'done' }))
  await until(async () => (await rows()).length === 1)
  proxy.cut()
  expect(await write).toBe('unavailable ConnectionLost')
  expect(await askOne(database, 'ann', echo, { word: 'next' })).toBe('next')
  expect(await rows()).toEqual([{ owner_id: 'ann', title: 'done' }])
})

test('a read whose answer is lost is sent again through another WebSocket', async () => {
  const database = await open({ connections: 1 })
  proxy.freeze('answers')
  const read = askOne(database, 'ann', echo, { word: 'read' })
  setImmediate(() => proxy.cut())
  expect(await read).toBe('read')
  expect(proxy.sockets()).toBe(2)
})

test('a proxy that says nothing any more, not even to a close, is given up at the deadline', async () => {
  const database = await open({ connections: 1, batchMs: 200 })
  await askOne(database, 'ann', echo, { word: 'warm' })
  proxy.freeze('everything')
  expect(await outcome(askOne(database, 'ann', writeAtGate, { word: 'x' }))).toBe(
    'unavailable ConnectionLost',
  )
  expect(await askOne(database, 'ann', echo, { word: 'served by another' })).toBe('served by another')
  expect(proxy.sockets()).toBe(2)
})

test('an idle WebSocket that is cut is replaced without anybody noticing', async () => {
  const database = await open({ connections: 1 })
  proxy.cut()
  await until(async () => (await connections()).length === 0)
  expect(await askOne(database, 'ann', echo, { word: 'still here' })).toBe('still here')
})

test('while nothing listens it is out of reach, said once; and it comes back by itself', async () => {
  const database = await open({ connections: 1 })
  await proxy.refuse()
  await until(async () => {
    await outcome(askOne(database, 'ann', echo, { word: 'x' }))
    return !database.reachable()
  })
  await proxy.listen()
  await until(() => database.reachable())
  expect(await askOne(database, 'ann', echo, { word: 'back' })).toBe('back')
  expect(logged).toEqual(['database_lost', 'database_back'])
})

describe.each(['neon-ws', 'neon-http'] as const)('with %s', (driver) => {
  const log = pino({ level: 'silent' })

  test('an empty database is migrated, checked and opened, and the built-in issuer has its sessions', async () => {
    const name = `${postgres.name}_empty`
    await admin(postgres.url, `create database ${name}`)
    const url = withDatabase(postgres.url, name)
    const common = { statements: taskStatements, log, url, migrationUrl: url, driver }
    await expect(openPostgresDatabase({ ...common, migrates: false })).rejects.toThrow(
      /run npx docket migrate/,
    )
    expect(await migratePostgres({ url, migrationUrl: url, driver })).not.toMatchObject({ applied: [] })
    const { database, issuerPool, rateWindows } = await openPostgresDatabase({ ...common, migrates: true })
    const task = { id: randomUUID(), given: { title: 'x' } }
    expect(await askOne(database, 'ann', createTask, task)).toMatchObject({ id: task.id })
    const { pool, close } = issuerPool()
    const client = await pool.connect()
    expect((await client.query('select 1 + $1::int as two', [1])).rows).toEqual([{ two: 2 }])
    client.release()
    await close()
    const windows = rateWindows?.()
    expect(await windows?.query({ text: 'select 1 + $1::int as two', values: [1] })).toMatchObject({
      rows: [{ two: 2 }],
    })
    await windows?.close()
    await database.close()
    await admin(postgres.url, `drop database ${name} with (force)`)
  })

  test('a login role that could not become the unprivileged one stops the start', async () => {
    const role = { name: `stranger_${driver.replace('-', '_')}`, password: 'x' }
    await admin(postgres.url, `create role ${role.name} login password 'x'`)
    const url = withDatabase(postgres.url, postgres.name, role)
    const opening = openPostgresDatabase({
      statements: taskStatements,
      log,
      url,
      migrationUrl: url,
      driver,
      migrates: false,
    })
    await expect(opening).rejects.toThrow(/run npx docket migrate with the database owner/)
    await admin(postgres.url, `drop role ${role.name}`)
  })

  test('wrong password, wrong database, nobody there: one sentence each', async () => {
    const sentence = (change: (url: URL) => void) => {
      const url = new URL(postgres.url)
      change(url)
      return migratePostgres({ url: url.href, migrationUrl: url.href, driver }).then(
        () => 'migrated',
        (error: Error) => error.message,
      )
    }
    expect(await sentence((url) => (url.password = 'wrong'))).toMatch(/the password is wrong/)
    expect(await sentence((url) => (url.pathname = '/missing'))).toMatch(/the database does not exist/)
    await proxy.refuse()
    expect(await sentence(() => undefined)).toMatch(/nothing there answers as Neon's proxy does/)
  })
})
