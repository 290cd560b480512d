import pg from 'pg'
import type { Quota } from '../statements/quota.ts'
import type { Access, AnyStatement, Cells, Question } from '../statements/statement.ts'
import { appRole } from './app-role.ts'
import { batch, parse, preparation } from './messages.ts'

export type BatchLimits = {
  /** Limits that the triggers of the tables enforce for each owner. */
  readonly quotas: readonly Quota[]
  /** Longest run of one statement, and longest wait for a lock, before Postgres cancels it. */
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
}

export const batchLimits: BatchLimits = { statementTimeoutMs: 5_000, lockTimeoutMs: 2_000, quotas: [] }

/**
 * The first statement of every batch. Until the end of this transaction, it takes the unprivileged role, names the
 * owner to the policies, and sets time-outs and quotas.
 * It returns no row, because `concat` is never null.
 *
 * Each prepared statement keeps one plan. By default Postgres plans a list anew for each `limit`, which takes as
 * long as running it (ADR 12).
 */
export function enter({ statementTimeoutMs, lockTimeoutMs, quotas }: BatchLimits = batchLimits): string {
  const settings = {
    role: `'${appRole}'`,
    'app.user_id': '$1',
    statement_timeout: `'${statementTimeoutMs}'`,
    lock_timeout: `'${lockTimeoutMs}'`,
    plan_cache_mode: `'force_generic_plan'`,
    ...Object.fromEntries(quotas.map(({ setting, most }) => [setting, `'${most}'`])),
  }
  const calls = Object.entries(settings).map(([name, value]) => `set_config('${name}', ${value}, true)`)
  return `select where concat(${calls.join(', ')}) is null`
}

const enterName = 'enter'

/** The questions of one owner, run in one transaction and one round trip. */
export type Batch = {
  readonly owner: string
  readonly questions: readonly Question[]
  /** Whether the batch may be repeated when its result is lost. The strictest statement decides. */
  readonly access: Access
  /** The sum of the weights. */
  readonly weight: number
  /** True once nobody waits for the result. A batch that was not sent by then can be dropped. */
  readonly gone?: (() => boolean) | undefined
}

const strictness: readonly Access[] = ['read', 'repeatable-write', 'write']

/** @throws Error when the owner is empty, because the policies would show nothing. */
export function batchOf(owner: string, questions: readonly Question[], gone?: () => boolean): Batch {
  if (owner === '') throw new Error('A batch needs an owner')
  let weight = 0
  let strictest = 0
  for (const question of questions) {
    weight += question.weight
    strictest = Math.max(strictest, strictness.indexOf(question.statement.access))
  }
  return { owner, questions, access: strictness[strictest] ?? 'write', weight, gone }
}

/** Converts a batch to the bytes of a connection. */
export type Encode = (batch: Batch) => Buffer

/**
 * For connections that know the prepared statements by name: enter as the owner, run the statements, Sync.
 * A batch is one write, one read and one transaction. The next batch on the connection belongs to another owner and
 * shares nothing with it.
 */
export const encodeNamed: Encode = ({ owner, questions }) =>
  batch([
    { name: enterName, values: [owner] },
    ...questions.map(({ statement, values }) =>
      statement.prepared
        ? { name: statement.name, values: values(owner) }
        : { name: '', parse: parseOf(statement), values: values(owner) },
    ),
  ])

/**
 * For poolers that give every transaction another session. Nobody knows which statements that session has prepared,
 * so each batch contains the text of its statements.
 */
export function encodeUnnamed(limits: Partial<BatchLimits> = {}): Encode {
  const entering = parse({ name: '', text: enter({ ...batchLimits, ...limits }) })
  return ({ owner, questions }) =>
    batch([
      { name: '', parse: entering, values: [owner] },
      ...questions.map(({ statement, values }) => ({
        name: '',
        parse: parseOf(statement),
        values: values(owner),
      })),
    ])
}

const parsed = new WeakMap<AnyStatement, Buffer>()

function parseOf(statement: AnyStatement): Buffer {
  const known = parsed.get(statement)
  if (known !== undefined) return known
  const bytes = parse({ name: '', text: statement.text })
  parsed.set(statement, bytes)
  return bytes
}

/** Asks which Postgres process answers. It reads no rows of owners. */
export const whichProcess = batch([
  { name: '', parse: parse({ name: '', text: 'select pg_backend_pid()' }), values: [] },
])

/**
 * Bytes that prepare every statement on a new connection.
 * The role that will run the statements prepares them, so Postgres plans them with the policies from the start.
 */
export function prepareAll(statements: readonly AnyStatement[], limits: Partial<BatchLimits> = {}): Buffer {
  return preparation(
    { name: enterName, text: enter({ ...batchLimits, ...limits }) },
    [{ name: enterName, values: [''] }],
    statements.filter(({ prepared }) => prepared),
  )
}

/** All rows of each statement. */
export type Results = readonly (readonly Cells[])[]

/** Removes the result of `enter`, which comes first in each batch. */
export const afterEnter = (results: Results): Results => results.slice(1)

/** Called once with the outcome of a batch: an error, or the results. */
export type Settle = (error: unknown, results: Results) => void

const nothing: Results = []

type Wire = { stream: NodeJS.WritableStream }

/** `pg`'s pipeline mode calls these methods of its queries. `@types/pg` declares only some of them. */
const PgQuery = pg.Query as unknown as new (config: object) => { submit(wire: Wire): Error | null }

/**
 * Carries prepared bytes that end in one Sync through `pg`'s pipeline mode, and reads the response up to
 * ReadyForQuery.
 * It settles exactly once. Success waits for ReadyForQuery, because nothing is known to be committed before it.
 */
export class BatchQuery extends PgQuery {
  readonly #bytes: Buffer
  #settle: Settle | undefined
  readonly #results: Cells[][] = []
  #rows: Cells[] = []

  constructor(bytes: Buffer, settle: Settle) {
    super({})
    this.#bytes = bytes
    this.#settle = settle
  }

  override submit(wire: Wire): null {
    writeSoon(wire.stream, this.#bytes)
    return null
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#rows.push(message.fields)
  }

  handleCommandComplete(): void {
    this.#results.push(this.#rows)
    this.#rows = []
  }

  handleError(error: unknown): void {
    this.#settleOnce(error, nothing)
  }

  handleReadyForQuery(): void {
    this.#settleOnce(null, this.#results)
  }

  #settleOnce(error: unknown, results: Results): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.(error, results)
  }
}

/** Batches per write. Postgres starts on them while the rest of a long turn still arrives (ADR 1). */
const mostCollected = 4

const collected = new WeakMap<Wire['stream'], Buffer[]>()

/** Batches from the same turn of the event loop are sent in few writes. Each batch stays in one piece. */
function writeSoon(stream: Wire['stream'], bytes: Buffer): void {
  const waiting = collected.get(stream)
  if (waiting === undefined) {
    collected.set(stream, [bytes])
    setImmediate(() => {
      write(stream, collected.get(stream) ?? [])
      collected.delete(stream)
    })
  } else if (waiting.push(bytes) === mostCollected) {
    collected.set(stream, [])
    write(stream, waiting)
  }
}

function write(stream: Wire['stream'], batches: readonly Buffer[]): void {
  const [first] = batches
  if (first !== undefined) stream.write(batches.length === 1 ? first : Buffer.concat(batches))
}
