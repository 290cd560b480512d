import pg from 'pg'
import { ConnectionLost, endsConnection } from './failures.ts'
import { Batch, type OwnerCall, ownerBatch } from './owner-batch.ts'
import type { Row } from './statement.ts'

/** A statement on its way, and who waits for the answer. */
export type Job = {
  readonly call: OwnerCall
  readonly settle: (error: unknown, row: Row) => void
}

/**
 * One connection on which many batches are in flight. Answers come in the order of the batches; a batch that
 * fails touches no other; when the connection is lost all that is in flight fails with `ConnectionLost`.
 */
export class Connection {
  readonly #client: pg.Client
  readonly #onEnd: (connection: Connection) => void
  #ended = false
  /** Batches sent and not answered yet. */
  inFlight = 0
  /** When the oldest batch in flight became the oldest, or when the last one was answered; by `performance.now()`. */
  since = performance.now()

  private constructor(client: pg.Client, onEnd: (connection: Connection) => void) {
    this.#client = client
    this.#onEnd = onEnd
    client.on('error', () => this.#end())
    client.on('end', () => this.#end())
  }

  /**
   * Opens a connection and prepares every statement on it before it takes work, all within `connectMs`.
   * `onEnd` is called once, when it can take no more.
   * @throws what `pg` or Postgres reports, or `ConnectionLost` after the time-out; the socket is closed.
   */
  static async open(options: {
    config: pg.ClientConfig
    preparation: Buffer
    connectMs: number
    onEnd: (connection: Connection) => void
  }): Promise<Connection> {
    const { config, preparation, connectMs, onEnd } = options
    const client = new pg.Client({ ...config, pipeline: true })
    const connection = new Connection(client, onEnd)
    let late = false
    const overdue = setTimeout(() => {
      late = true
      connection.destroy()
    }, connectMs)
    try {
      await client.connect()
      await new Promise<void>((resolve, reject) => {
        client.query(new Batch(preparation, (error) => (error ? reject(error) : resolve())))
      })
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
    this.#client.query(
      new Batch(ownerBatch(job.call), (error, row) => {
        this.inFlight--
        this.since = performance.now()
        if (error !== null && endsConnection(error)) this.retire()
        job.settle(
          error !== null && isLoss(error) ? new ConnectionLost('Connection lost', { cause: error }) : error,
          row,
        )
      }),
    )
  }

  /** Waits for what is in flight, then says goodbye to Postgres. */
  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined)
  }

  /** Ends it at once; what is in flight fails. */
  destroy(): void {
    this.#end()
    // `end` would wait for the answers that are not coming.
    const { connection } = this.#client as unknown as { connection: { stream: { destroy(): void } } }
    connection.stream.destroy()
  }

  /** Takes no more work; what is in flight may still be answered. */
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

/** Anything Postgres did not say itself; what it says while it hangs up is told by its SQLSTATE. */
function isLoss(error: unknown): boolean {
  return !(error instanceof pg.DatabaseError)
}
