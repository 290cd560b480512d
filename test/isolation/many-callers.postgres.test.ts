import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openPostgres } from '../../src/database/database.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { type Rewrite, startProxy } from '../support/proxy.ts'
import { admin } from '../support/real-postgres.ts'
import { marksTable, workloadStatements } from './failing.ts'
import { runWorkload } from './workload.ts'

let postgres: FreshDatabase
beforeAll(async () => {
  postgres = await freshDatabase()
  await admin(postgres.url, marksTable)
})
afterEach(() => admin(postgres.url, 'delete from docket.tasks'))
afterAll(() => postgres.drop())

const patient = { waitMs: 30_000, batchMs: 30_000, statementTimeoutMs: 30_000 }

const open = (url: string, limits: object) =>
  openPostgres({ url, statements: workloadStatements, log: pino({ level: 'silent' }), limits })

/** Owners whose counts are not those of their tasks: a failed write that was counted would show here. */
const miscounted = `select owner_id from docket.owners o where (task_count, byte_count) <> (
  select count(*), coalesce(sum(400 + octet_length(title) + coalesce(octet_length(description), 0)), 0)
  from docket.tasks t where t.owner_id = o.owner_id)`

const rowsThere = async () => {
  const rows = await admin(
    postgres.url,
    "select concat_ws(' ', owner_id, id, title) as row from docket.tasks",
  )
  return rows.map(({ row }) => String(row)).sort()
}

describe('10,000 requests of 50 owners, a fifth of them failing inside Postgres', () => {
  test.each([1, 2, 10])(
    'on %i connections: each answer is its caller’s, a failed write left nothing',
    async (connections) => {
      const database = await open(postgres.url, { ...patient, connections })
      const report = await runWorkload(database, { owners: 50, workers: 4, requests: 50 })
      await database.close()
      expect(report.wrong).toEqual([])
      expect(report).toMatchObject({ settled: 10_000, failedInside: 2_000 })
      expect(await rowsThere()).toEqual(report.rows)
      expect(await admin(postgres.url, 'select * from public.marks')).toEqual([])
      expect(await admin(postgres.url, miscounted)).toEqual([])
    },
  )
})

describe('the Sync between two batches is what keeps callers apart', () => {
  const isSync = (message: Buffer) => message[0] === 'S'.charCodeAt(0)
  const throughProxy = async (rewrite: Rewrite) => {
    const proxy = await startProxy(postgres.url, () => rewrite)
    const limits = { ...patient, connections: 1, batchMs: 500 }
    const database = await open(proxy.url, limits)
    const report = await runWorkload(database, { owners: 10, workers: 4, requests: 10 })
    await database.close()
    await proxy.close()
    return report
  }

  test('with every Sync in its place nothing is wrong', async () => {
    const report = await throughProxy((message) => message)
    expect(report).toMatchObject({ wrong: [], settled: 400, failedInside: 80 })
    expect(await rowsThere()).toEqual(report.rows)
  })

  test('with one of them taken out answers go to the wrong caller, and all the same everybody gets one', async () => {
    let between = 0
    const report = await throughProxy((message, next) =>
      isSync(message) && next === 'B' && ++between === 20 ? undefined : message,
    )
    expect(between).toBeGreaterThanOrEqual(20)
    expect(report.settled).toBe(400)
    expect(report.wrong.length).toBeGreaterThan(10)
    expect(report.wrong.join('\n')).toMatch(/"owner_id":.* instead of/)
  })
})
