import { sql } from 'drizzle-orm'
import pg from 'pg'
import { pino } from 'pino'
import { vi } from 'vitest'
import { type Database, openPostgres, type PostgresOptions } from '../../src/database/database.ts'
import { type Cells, defineStatement, owner, raw } from '../../src/database/statements/statement.ts'
import { freshDatabase } from '../support/database.ts'
import { type Rewrite, startProxy, type TcpProxy } from '../support/proxy.ts'

const text = ([row]: readonly Cells[]) => row?.[0] ?? null
const word = sql.placeholder('word')
type Word = { word: string }

/** Answers at once. */
export const echo = defineStatement<Word, string | null>({
  name: 'echo',
  access: 'read',
  query: raw(sql`select ${word}::text where ${owner}::text is not null`),
  rows: text,
})

/** Waits in Postgres until the gate is open, then answers. */
export const readAtGate = defineStatement<Word, string | null>({
  name: 'read_at_gate',
  access: 'read',
  query: raw(
    sql`select ${word}::text from (select pg_advisory_xact_lock_shared(42)) gate where ${owner}::text is not null`,
  ),
  rows: text,
})

/** The same, and it says how long it takes, as the weight given. */
export const weighedAtGate = defineStatement<Word & { weight: number }, string | null>({
  name: 'weighed_at_gate',
  access: 'read',
  weight: ({ weight }) => weight,
  query: raw(
    sql`select ${word}::text from (select pg_advisory_xact_lock_shared(42)) gate where ${owner}::text is not null`,
  ),
  rows: text,
})

/** Adds a row, each time another one, when the gate is open. */
export const writeAtGate = defineStatement<Word, string | null>({
  name: 'write_at_gate',
  access: 'write',
  query:
    raw(sql`insert into docket.tasks (owner_id, id, title) select ${owner}, gen_random_uuid(), ${word}::text
    from (select pg_advisory_xact_lock_shared(42)) gate returning title`),
  rows: text,
})

/** Takes as many seconds as the word says. */
export const nap = defineStatement<Word, string | null>({
  name: 'nap',
  access: 'write',
  query: raw(sql`select pg_sleep(${word}::float8)::text where ${owner}::text is not null`),
  rows: text,
})

/** The same as a read that says it is soon over. */
export const lightNap = defineStatement<Word, string | null>({
  name: 'light_nap',
  access: 'read',
  weight: () => 1,
  query: raw(sql`select pg_sleep(${word}::float8)::text where ${owner}::text is not null`),
  rows: text,
})

/** Answers every column of the table there is, so that a new one changes the type of its result. */
export const everyColumn = defineStatement<Record<never, never>, number>({
  name: 'every_column',
  access: 'write',
  query: raw(sql`update docket.tasks t set title = title where owner_id = ${owner} returning *`),
  rows: ([row]) => row?.length ?? 0,
})

const statements = [echo, readAtGate, weighedAtGate, writeAtGate, nap, lightNap, everyColumn]

/** A database behind a proxy, and a gate that statements wait at inside Postgres while it is shut. */
export type Gated = AsyncDisposable & {
  readonly database: Database
  readonly proxy: TcpProxy
  /** Runs SQL as the administrator. */
  admin(sql: string): Promise<Record<string, unknown>[]>
  shut(): Promise<void>
  open(): Promise<void>
  /** Process ids of the API's connections: all, or those that wait at the gate. */
  backends(waiting?: 'waiting'): Promise<number[]>
  /** How often a statement was sent. */
  sent(statement: { name: string }): number
  readonly logged: () => { event?: string }[]
}

export async function openGated(
  limits: PostgresOptions['limits'] = {},
  rewrite: Rewrite = (message) => message,
): Promise<Gated> {
  const postgres = await freshDatabase()
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  const sent = new Map<string, number>()
  const proxy = await startProxy(postgres.url, () => (message, next) => {
    if (message[0] === 'B'.charCodeAt(0)) {
      const name = message.toString('utf8', 6, message.indexOf(0, 6))
      sent.set(name, (sent.get(name) ?? 0) + 1)
    }
    return rewrite(message, next)
  })
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => lines.push(line) })
  const patient = { statementTimeoutMs: 60_000, lockTimeoutMs: 60_000, batchMs: 60_000, waitMs: 60_000 }
  const generous = { ...patient, inFlightOfOne: 1_000, waitingOfOne: 1_000 }
  const database = await openPostgres({ url: proxy.url, statements, log, limits: { ...generous, ...limits } })
  return {
    database,
    proxy,
    admin: async (sql) => (await client.query(sql)).rows,
    shut: async () => void (await client.query('select pg_advisory_lock(42)')),
    open: async () => void (await client.query('select pg_advisory_unlock_all()')),
    backends: async (waiting) => {
      const { rows } = await client.query(`select pid from pg_stat_activity
        where datname = current_database() and application_name = 'docket'
          and (${waiting === undefined} or wait_event_type = 'Lock') order by pid`)
      return rows.map(({ pid }) => Number(pid))
    },
    sent: ({ name }) => sent.get(name) ?? 0,
    logged: () => lines.map((line) => JSON.parse(line)),
    [Symbol.asyncDispose]: async () => {
      await client.query('select pg_advisory_unlock_all()')
      await proxy.resume()
      await database.close()
      await client.end()
      await proxy.close()
      await postgres.drop()
    },
  }
}

/** Waits until it is so. */
export const until = (isSo: () => Promise<boolean> | boolean): Promise<void> =>
  vi.waitUntil(isSo, { timeout: 15_000, interval: 20 }).then(() => undefined)

/** What a promise came to, as text or as the code of its failure with the cause behind it. */
export async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    const answer = await promise
    return typeof answer === 'object' && answer !== null ? JSON.stringify(answer) : String(answer)
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: { name?: string; code?: string } }
    return [code, cause?.code ?? cause?.name].filter(Boolean).join(' ')
  }
}
