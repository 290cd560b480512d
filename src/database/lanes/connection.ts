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
  /** Prepares every statement by its name on a new connection. */
  readonly preparation: Buffer
  /** For a connection that does not know the names. */
  readonly unnamed: Encode
  /** Requests the rights and policies that hold on a new connection. */
  readonly comparison: Buffer
  /** Whether names are known to be kept on this URL. `ask` checks each connection. */
  readonly names: 'kept' | 'ask'
}

/**
 * One connection with many batches in flight. Results come in the order of the batches, and a failed batch affects
 * no other.
 * A lost connection fails all batches in flight with `ConnectionLost`.
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
   * Opens a connection and prepares every statement on it before it takes batches, all within `connectMs`.
   * Behind a pooler that may not keep names, nothing is prepared, and each batch contains its statements as text.
   * Rights and policies are requested at the same time. The connection serves whatever they are.
   * @throws the error of the driver or Postgres, or `ConnectionLost` after the time-out. The socket is closed.
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
      // The connection may have ended in the same read as the last result. Its opener would not be told again.
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
 * True when the session that answers is the one that was logged in to.
 * A pooler logs its clients in by itself. It reports a process that does not exist, or not the one of their
 * transactions.
 * Behind it a name could be unknown or, worse, belong to another client.
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

/**
 * True for any error that Postgres did not report. An error that Postgres reports while it hangs up has a SQLSTATE.
 */
function isLoss(error: unknown): boolean {
  return sqlState(error) === undefined
}
