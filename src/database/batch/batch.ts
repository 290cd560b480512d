import pg from 'pg'
import type { Quota } from '../statements/quota.ts'
import type { Access, AnyStatement, Cells, Question } from '../statements/statement.ts'
import { appRole } from './app-role.ts'
import { batch, parse, preparation } from './messages.ts'

export type BatchLimits = {
  /** What the triggers of the tables hold each owner to. */
  readonly quotas: readonly Quota[]
  /** Longest run of one statement, and longest wait for a lock, before Postgres itself gives up. */
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
}

export const batchLimits: BatchLimits = { statementTimeoutMs: 5_000, lockTimeoutMs: 2_000, quotas: [] }

/**
 * The first statement of every batch: drops to the unprivileged role, names the owner to the policies and sets
 * time-outs and quotas, all until the end of this transaction. It answers no row: `concat` is never null.
 *
 * Each prepared statement keeps one plan. Left to itself Postgres plans a list anew for each `limit`, which takes as long
 * as running it (ADR 12).
 */
export function enter({ statementTimeoutMs, lockTimeoutMs, quotas }: BatchLimits = batchLimits): string {
  const settings = {
    role: `'${appRole}'`,
    'app.user_id': '$1',
    statement_timeout: `'${statementTimeoutMs}'`,
    lock_timeout: `'${lockTimeoutMs}'`,
    plan_cache_mode: `'force_generic_plan'`,
    datestyle: `'ISO'`,
    timezone: `'UTC'`,
    ...Object.fromEntries(quotas.map(({ setting, most }) => [setting, `'${most}'`])),
  }
  const calls = Object.entries(settings).map(([name, value]) => `set_config('${name}', ${value}, true)`)
  return `select where concat(${calls.join(', ')}) is null`
}

const enterName = 'enter'

/** What one owner asks in one transaction and one round trip. */
export type Batch = {
  readonly owner: string
  readonly questions: readonly Question[]
  /** What may be done when the answer is lost: as for the strictest of the statements. */
  readonly access: Access
  /** The sum of the weights. */
  readonly weight: number
  /** True once nobody waits for the answer: what was not sent by then need not be. */
  readonly gone?: (() => boolean) | undefined
}

const strictness: readonly Access[] = ['read', 'repeatable-write', 'write']

/** @throws Error when the owner is empty: the policies would show nothing. */
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

/** How a batch becomes the bytes of a connection. */
export type Encode = (batch: Batch) => Buffer

/**
 * For connections that know the prepared statements by name: enter as the owner, run the statements, Sync. One write, one
 * read, one transaction. The next batch on the connection belongs to another owner and shares nothing with it.
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
 * For poolers that give every transaction another session and do not know which statements that one has seen: the same
 * batch, with the text of each statement.
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

/** Asks which process of Postgres answers; it reads no rows of owners. */
export const whichProcess = batch([
  { name: '', parse: parse({ name: '', text: 'select pg_backend_pid()' }), values: [] },
])

/**
 * The bytes that make a fresh connection know every prepared statement. They are prepared as the role that will run
 * them, so that Postgres plans them with the policies from the start.
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

/** The results of what was asked, without that of `enter`, which comes first in each batch. */
export const afterEnter = (results: Results): Results => results.slice(1)

/** Called once with what became of a batch: an error, or the results. */
export type Settle = (error: unknown, results: Results) => void

const nothing: Results = []

type Wire = { stream: NodeJS.WritableStream }

/** What `pg`'s pipeline mode calls on the queries it carries; `@types/pg` declares only a part of it. */
const PgQuery = pg.Query as unknown as new (config: object) => { submit(wire: Wire): Error | null }

/**
 * Ready-made bytes that end in one Sync, carried by `pg`'s pipeline mode, and the answer up to ReadyForQuery. It
 * settles exactly once; before ReadyForQuery nothing is known to be committed, so it never settles earlier with success.
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

/** So many leave at once: Postgres begins with them while the rest of a long turn still comes in (ADR 1). */
const mostCollected = 4

const collected = new WeakMap<Wire['stream'], Buffer[]>()

/** Batches that came in the same turn of the event loop leave in few writes, each in one piece. */
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
