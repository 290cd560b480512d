import pg from 'pg'
import { batch, preparation } from './messages.ts'
import { type Quotas, quotas } from './quotas.ts'
import { appRole } from './roles.ts'
import type { AnyStatement, Row, Value } from './statement.ts'

export type BatchLimits = Quotas & {
  /** Longest run of one statement, and longest wait for a lock, before Postgres itself gives up. */
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
}

export const batchLimits: BatchLimits = { statementTimeoutMs: 5_000, lockTimeoutMs: 2_000, ...quotas }

/**
 * The first statement of every batch: drops to the unprivileged role, names the owner to the policies and sets
 * time-outs and quotas, all until the end of this transaction. It answers no row: `concat` is never null.
 */
export function enter(limits: BatchLimits = batchLimits): string {
  return `select where concat(
    set_config('role', '${appRole}', true),
    set_config('app.user_id', $1, true),
    set_config('statement_timeout', '${limits.statementTimeoutMs}', true),
    set_config('lock_timeout', '${limits.lockTimeoutMs}', true),
    set_config('app.task_quota', '${limits.taskQuota}', true),
    set_config('app.storage_quota', '${limits.storageQuotaBytes}', true)) is null`
}

const enterName = 'enter'

/** One statement to run as one owner. */
export type OwnerCall = {
  readonly owner: string
  readonly statement: AnyStatement
  readonly values: readonly Value[]
  /** `Statement.weight` of this input. */
  readonly weight: number
  /** True once nobody waits for the answer: what was not sent by then need not be. */
  readonly gone?: (() => boolean) | undefined
}

/**
 * The bytes of an owner batch: enter as the owner, run one statement, Sync. One write, one read, one
 * transaction; what follows on the same connection belongs to somebody else and shares nothing with it.
 */
export function ownerBatch({ owner, statement, values }: OwnerCall): Buffer {
  if (owner === '') throw new Error('A batch needs an owner')
  return batch([
    { name: enterName, values: [owner] },
    { name: statement.name, values },
  ])
}

/**
 * The bytes that make a fresh connection know every statement. They are prepared as the role that will run
 * them, so that Postgres plans them with the policies from the start.
 */
export function prepareAll(statements: readonly AnyStatement[], limits: Partial<BatchLimits> = {}): Buffer {
  return preparation(
    { name: enterName, text: enter({ ...batchLimits, ...limits }) },
    [{ name: enterName, values: [''] }],
    statements,
  )
}

/** Told once what became of a batch: an error, or the first row of its last statement. */
export type Settle = (error: unknown, row: Row) => void

type Wire = { stream: NodeJS.WritableStream }

/** What `pg`'s pipeline mode calls on the queries it carries; `@types/pg` declares only a part of it. */
const PgQuery = pg.Query as unknown as new (config: object) => { submit(wire: Wire): Error | null }

/**
 * Ready-made bytes that end in one Sync, carried by `pg`'s pipeline mode, and the answer up to ReadyForQuery:
 * the first row of the last statement. It settles exactly once; before ReadyForQuery nothing is known to be
 * committed, so it never settles earlier with success.
 */
export class Batch extends PgQuery {
  readonly #bytes: Buffer
  #settle: Settle | undefined
  #row: Row

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
    this.#row ??= message.fields
  }

  handleCommandComplete(): void {}

  handleError(error: unknown): void {
    this.#settleOnce(error, undefined)
  }

  handleReadyForQuery(): void {
    this.#settleOnce(null, this.#row)
  }

  #settleOnce(error: unknown, row: Row): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.(error, row)
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
