import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeNamed, prepareAll } from '../../src/database/batch/batch.ts'
import { openPostgres } from '../../src/database/database.ts'
import { clientConfig } from '../../src/database/drivers/connection-url.ts'
import { tcpCarrier } from '../../src/database/drivers/tcp.ts'
import { Connection } from '../../src/database/lanes/connection.ts'
import { migratePostgres } from '../../src/database/open.ts'
import { comparison } from '../../src/database/protection/watch.ts'
import { createTask, getTask, taskStatements } from '../../src/tasks/statements.ts'
import { marksTable, whoAmI, workloadStatements } from '../isolation/failing.ts'
import { runWorkload } from '../isolation/workload.ts'
import { startApi } from '../support/api.ts'
import { askOne } from '../support/ask.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { type PgBouncer, startPgBouncer } from '../support/pgbouncer.ts'
import { startProxy } from '../support/proxy.ts'
import { admin, withDatabase } from '../support/real-postgres.ts'

/** Behind a PgBouncer that knows nothing of names (Debian's 1.18), with fewer connections than clients have. */
let postgres: FreshDatabase
let pooler: PgBouncer
const log = pino({ level: 'silent' })
const open = (connections: number) =>
  openPostgres({ url: pooler.url, statements: workloadStatements, log, limits: { connections } })

const started = async (poolSize: number) => {
  postgres = await freshDatabase()
  await admin(postgres.url, marksTable)
  pooler = await startPgBouncer(postgres.url, poolSize)
}
afterEach(async () => {
  await pooler?.stop()
  await postgres.drop()
})

describe('many callers share three connections', () => {
  beforeEach(() => started(3))

  test('each answer is its caller’s, and what failed inside a pipeline left nothing', async () => {
    const database = await open(8)
    const report = await runWorkload(database, { owners: 20, workers: 4, requests: 15 })
    await database.close()
    expect(report.wrong).toEqual([])
    expect(report).toMatchObject({ settled: 1_200, failedInside: 240 })
    const there = await admin(
      postgres.url,
      "select concat_ws(' ', owner_id, id, title) as row from docket.tasks",
    )
    expect(there.map(({ row }) => String(row)).sort()).toEqual(report.rows)
    expect(await admin(postgres.url, 'select * from public.marks')).toEqual([])
  })

  test('rights and policies are compared through it', async () => {
    const isolated = async () => {
      const database = await open(1)
      await database.close()
      return database.isolated()
    }
    expect(await isolated()).toBe(true)
    await admin(postgres.url, 'create policy leak on docket.tasks using (true)')
    expect(await isolated()).toBe(false)
    await admin(postgres.url, 'drop policy leak on docket.tasks')
  })

  test('the API answers every operation, and a foreign task as a missing one', async () => {
    const api = await startApi({}, { databaseUrl: pooler.url })
    const [ann, bob] = [await api.newOwner(), await api.newOwner()]
    const { id } = (await ann.call('/tasks', { body: { title: 'of ann' } })).json()
    const path = `/tasks/${id}`
    const statuses = async (who: typeof ann) => {
      const calls = [
        await who.call(path),
        await who.call(path, { method: 'PATCH', body: { status: 'Done' } }),
        await who.call(path, { method: 'DELETE' }),
        await who.call(path, { method: 'PUT', body: { title: 'put' } }),
        await who.call('/tasks'),
      ]
      return calls.map(({ status }) => status)
    }
    expect(await statuses(bob)).toEqual([404, 404, 404, 201, 200])
    expect(await statuses(ann)).toEqual([200, 200, 204, 201, 200])
    await api.close()
  })
})

describe('one connection for all', () => {
  beforeEach(() => started(1))

  test('the next client on it finds neither the role nor the owner nor a time-out nor a statement of the one before', async () => {
    const login = { role: 'postgres', app_user: '', statement_timeout: '0', lock_timeout: '0', prepared: 0 }
    const asked = `select current_user::text as role, coalesce(current_setting('app.user_id', true), '') as app_user,
      current_setting('statement_timeout') as statement_timeout, current_setting('lock_timeout') as lock_timeout,
      (select count(*)::int from pg_prepared_statements) as prepared, pg_backend_pid() as pid`
    const database = await open(2)
    const id = randomUUID()
    await askOne(database, 'ann', createTask, {
      id,
      given: { title: 'x', description: null, status: 'Todo' },
    })
    expect(await askOne(database, 'ann', whoAmI, { word: 'x' })).toBe('ann ann docket_app x')
    const [after] = await admin(pooler.url, asked)
    expect(after).toMatchObject(login)
    const refused = askOne(database, 'ann', createTask, {
      id,
      given: { title: 'x', description: null, status: 'Todo' },
    })
    await expect(refused).rejects.toMatchObject({ cause: { code: '23505' } })
    expect(await admin(pooler.url, asked)).toEqual([after])
    await database.close()
  })

  test('many in flight at once are answered in order though each may have another client before it', async () => {
    const [one, other] = [await open(1), await open(1)]
    const words = Array.from({ length: 60 }, (_, i) => `${i}`)
    const answers = words.flatMap((word) => [
      askOne(one, `ann${word}`, whoAmI, { word }),
      askOne(other, `bob${word}`, whoAmI, { word }),
    ])
    const expected = words.flatMap((word) =>
      ['ann', 'bob'].map((name) => `${name}${word} ${name}${word} docket_app ${word}`),
    )
    expect(await Promise.all(answers)).toEqual(expected)
    await Promise.all([one.close(), other.close()])
  })

  test('names would not do: the second connection finds those of the first', async () => {
    const connecting = () =>
      Connection.open({
        carrier: tcpCarrier(clientConfig(pooler.url)),
        encodings: {
          preparation: prepareAll(taskStatements),
          unnamed: encodeNamed,
          comparison,
          names: 'kept',
        },
        connectMs: 5_000,
        onEnd: () => undefined,
        compared: () => undefined,
      })
    const first = await connecting()
    await expect(connecting()).rejects.toMatchObject({ code: '42P05' })
    await first.close()
  })
})

describe('a pooled URL', () => {
  beforeEach(() => started(2))

  test('can be migrated through, and is not sent a start-up parameter that it would refuse', async () => {
    await admin(postgres.url, `create database ${postgres.name}_empty`)
    const empty = withDatabase(pooler.url, `${postgres.name}_empty`)
    expect(await migratePostgres({ url: empty, migrationUrl: empty })).not.toMatchObject({ applied: [] })
    expect(await migratePostgres({ url: empty, migrationUrl: empty })).toMatchObject({ applied: [] })
    expect(pooler.logged()).not.toMatch(/unsupported startup parameter/)
    await admin(postgres.url, `drop database ${postgres.name}_empty with (force)`)
  })

  test('that asks for one itself is refused in one sentence', async () => {
    const url = `${pooler.url}?options=-c%20statement_timeout%3D5000`
    await expect(openPostgres({ url, statements: taskStatements, log })).rejects.toThrow(
      'DATABASE_URL cannot be used: a pooler in front of the database refuses a parameter: take options and time-outs out of the URL.',
    )
  })
})

test('names are used where the connection is direct, and the text is sent where it is not', async () => {
  await started(1)
  const parsesOf = async (url: string) => {
    let parses = 0
    const proxy = await startProxy(url, () => (message) => {
      if (message[0] === 'P'.charCodeAt(0)) parses++
      return message
    })
    const database = await openPostgres({ url: proxy.url, statements: taskStatements, log })
    const before = parses
    await askOne(database, 'ann', getTask, { id: randomUUID() })
    await database.close()
    await proxy.close()
    return parses - before
  }
  expect(await parsesOf(postgres.url)).toBe(0)
  expect(await parsesOf(pooler.url)).toBe(2)
})
