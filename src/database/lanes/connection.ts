import {
  afterEnter,
  type Batch,
  type Encode,
  encodeNamed,
  type Results,
  type Settle,
  whichProcess,
} from '../batch/batch.ts'
import type { Lane } from '../batch/lane.ts'
import type { Carrier } from '../drivers/tcp.ts'
import { ConnectionLost, endsConnection, sqlState } from '../failures/failures.ts'
import { type Compared, refusesComparison } from '../protection/watch.ts'

export type Encodings = {
  /** Makes a fresh connection know every statement by its name. */
  readonly preparation: Buffer
  /** For a connection that does not. */
  readonly unnamed: Encode
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
  #encode: Encode
  #ended = false
  inFlight = 0
  since = performance.now()

  private constructor(carrier: Carrier, encodings: Encodings, onEnd: (connection: Connection) => void) {
    this.#carrier = carrier
    this.#encode = encodings.unnamed
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
    encodings: Encodings
    connectMs: number
    onEnd: (connection: Connection) => void
    compared: (compared: Compared) => void
  }): Promise<Connection> {
    const { carrier, encodings, connectMs, onEnd, compared } = options
    const connection = new Connection(carrier, encodings, onEnd)
    let late = false
    const overdue = setTimeout(() => {
      late = true
      connection.destroy()
    }, connectMs)
    try {
      await carrier.connect()
      const named = encodings.names === 'kept' || (await isDirect(carrier))
      const prepared = named ? answerTo(carrier, encodings.preparation) : undefined
      const [comparison] = await Promise.all([comparedOn(carrier, encodings.comparison), prepared])
      if (named) connection.#encode = encodeNamed
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

  send(batch: Batch, settle: Settle): void {
    if (this.inFlight++ === 0) this.since = performance.now()
    this.#carrier.carry(this.#encode(batch), (error, results) => {
      this.inFlight--
      this.since = performance.now()
      if (error !== null && isLoss(error)) this.destroy()
      else if (error !== null && endsConnection(error)) this.retire()
      settle(
        error !== null && isLoss(error) ? new ConnectionLost('Connection lost', { cause: error }) : error,
        afterEnter(results),
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
  const [rows] = await answerTo(carrier, whichProcess)
  return rows?.[0]?.[0] === String(carrier.processId())
}

async function comparedOn(carrier: Carrier, comparison: Buffer): Promise<Compared> {
  try {
    return { row: (await answerTo(carrier, comparison)).flat()[0] }
  } catch (error) {
    if (refusesComparison(error)) return { error }
    throw error
  }
}

function answerTo(carrier: Carrier, bytes: Buffer): Promise<Results> {
  return new Promise((resolve, reject) => {
    carrier.carry(bytes, (error, results) => (error === null ? resolve(results) : reject(error)))
  })
}

/** Anything Postgres did not say itself; what it says while it hangs up is told by its SQLSTATE. */
function isLoss(error: unknown): boolean {
  return sqlState(error) === undefined
}
