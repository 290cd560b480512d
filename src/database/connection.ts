import type { Carrier } from './carrier.ts'
import { ConnectionLost, endsConnection, sqlState } from './failures.ts'
import { type OwnerCall, ownerBatch, type Settle } from './owner-batch.ts'
import { type Compared, refusesComparison } from './protection/watch.ts'
import type { Row } from './statement.ts'
import { whichProcess } from './unnamed-batch.ts'

/** A statement on its way, and who waits for the answer. */
export type Job = {
  readonly call: OwnerCall
  readonly settle: Settle
}

/** Something that takes jobs: a connection, or what stands for one. */
export type Lane = {
  /** Jobs taken and not settled yet. */
  readonly inFlight: number
  /** When the oldest job in flight became the oldest, or when the last one was settled; by `performance.now()`. */
  readonly since: number
  send(job: Job): void
  /** Waits for what is in flight, then ends. */
  close(): Promise<void>
  /** Ends at once; what is in flight fails. */
  destroy(): void
  /** Takes no more work; what is in flight may still be answered. */
  retire(): void
}

/** How a lane is opened; `onEnd` is called once, when it can take no more. */
export type OpenLane = (options: { connectMs: number; onEnd: (lane: Lane) => void }) => Promise<Lane>

export type Batches = {
  /** Makes a fresh connection know every statement by its name. */
  readonly preparation: Buffer
  /** A batch for a connection that does not. */
  readonly unnamed: (call: OwnerCall) => Buffer
  /** Asks a fresh connection for the rights and policies that hold there. */
  readonly comparison: Buffer
  /** What is known of who keeps names on this URL; `ask` finds out on each connection. */
  readonly names: 'kept' | 'ask'
}

/**
 * One connection on which many batches are in flight. Answers come in the order of the batches; a batch that
 * fails touches no other; when the connection is lost all that is in flight fails with `ConnectionLost`.
 */
export class Connection implements Lane {
  readonly #carrier: Carrier
  readonly #onEnd: (connection: Connection) => void
  #bytesOf: (call: OwnerCall) => Buffer
  #ended = false
  inFlight = 0
  since = performance.now()

  private constructor(carrier: Carrier, batches: Batches, onEnd: (connection: Connection) => void) {
    this.#carrier = carrier
    this.#bytesOf = batches.unnamed
    this.#onEnd = onEnd
    carrier.onEnd(() => this.#end())
  }

  /**
   * Opens a connection and prepares every statement on it before it takes work, all within `connectMs`. Behind a
   * pooler that may not keep their names, nothing is prepared: the statements go out as text with each batch. Rights and
   * policies are asked for in the same flight; whatever they are, the connection serves.
   * @throws what the driver or Postgres reports, or `ConnectionLost` after the time-out; the socket is closed.
   */
  static async open(options: {
    carrier: Carrier
    batches: Batches
    connectMs: number
    onEnd: (connection: Connection) => void
    compared: (compared: Compared) => void
  }): Promise<Connection> {
    const { carrier, batches, connectMs, onEnd, compared } = options
    const connection = new Connection(carrier, batches, onEnd)
    let late = false
    const overdue = setTimeout(() => {
      late = true
      connection.destroy()
    }, connectMs)
    try {
      await carrier.connect()
      const named = batches.names === 'kept' || (await isDirect(carrier))
      const prepared = named ? answerTo(carrier, batches.preparation) : undefined
      const [comparison] = await Promise.all([comparedOn(carrier, batches.comparison), prepared])
      if (named) connection.#bytesOf = ownerBatch
      compared(comparison)
      // The end may have come in one piece with the last answer; whoever opened it would not hear of it again.
      if (connection.#ended) throw new ConnectionLost('Connection terminated unexpectedly')
      return connection
    } catch (error) {
      connection.destroy()
      throw late ? new ConnectionLost('Connection timeout', { cause: error }) : error
    } finally {
      clearTimeout(overdue)
    }
  }

  send(job: Job): void {
    if (this.inFlight++ === 0) this.since = performance.now()
    this.#carrier.carry(this.#bytesOf(job.call), (error, row) => {
      this.inFlight--
      this.since = performance.now()
      if (error !== null && isLoss(error)) this.destroy()
      else if (error !== null && endsConnection(error)) this.retire()
      job.settle(
        error !== null && isLoss(error) ? new ConnectionLost('Connection lost', { cause: error }) : error,
        row,
      )
    })
  }

  async close(): Promise<void> {
    await this.#carrier.close()
  }

  destroy(): void {
    this.#end()
    this.#carrier.destroy()
  }

  retire(): void {
    this.#end()
    void this.close()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd(this)
  }
}

/**
 * Whether the session that answers is the one that was logged in to. A pooler logs its clients in by itself and
 * names a process that is none, or not the one of their transactions; there a name could be unknown, or, worse,
 * somebody else's.
 */
async function isDirect(carrier: Carrier): Promise<boolean> {
  const row = await answerTo(carrier, whichProcess)
  return row?.[0] === String(carrier.processId())
}

async function comparedOn(carrier: Carrier, comparison: Buffer): Promise<Compared> {
  try {
    return { row: await answerTo(carrier, comparison) }
  } catch (error) {
    if (refusesComparison(error)) return { error }
    throw error
  }
}

function answerTo(carrier: Carrier, bytes: Buffer): Promise<Row> {
  return new Promise((resolve, reject) => {
    carrier.carry(bytes, (error, row) => (error === null ? resolve(row) : reject(error)))
  })
}

/** Anything Postgres did not say itself; what it says while it hangs up is told by its SQLSTATE. */
function isLoss(error: unknown): boolean {
  return sqlState(error) === undefined
}
