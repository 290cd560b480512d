import type pg from 'pg'
import type { Logger } from 'pino'
import { Connection } from './connection.ts'
import { databaseUnavailable } from './failures.ts'
import type { Row } from './statement.ts'
import { Turns } from './turns.ts'

export type LaneLimits = {
  /** Most connections; they open as the load asks for them. */
  readonly connections: number
  /** Most batches in flight on one connection. */
  readonly inFlight: number
  /** Most batches waiting for a connection, in all. */
  readonly waiting: number
  /** How long one may wait for a connection. */
  readonly waitMs: number
  /** How long the oldest batch in flight may run before its connection is given up. */
  readonly batchMs: number
  /** How long an unused connection is kept: below the five minutes after which Neon suspends. */
  readonly idleMs: number
}

export const laneLimits: LaneLimits = {
  connections: 4,
  inFlight: 32,
  waiting: 1_000,
  waitMs: 2_000,
  batchMs: 6_000,
  idleMs: 60_000,
}

type Waiting = {
  readonly owner: string
  readonly bytes: Buffer
  readonly queuedAt: number
  readonly resolve: (row: Row) => void
  readonly reject: (error: unknown) => void
}

const sweepMs = 500

/**
 * A few connections, each with many batches in flight; the least busy takes the next one. What finds no room
 * waits in `Turns`, bounded in number and time, and is then refused as `unavailable`.
 */
export class Lanes {
  readonly #config: pg.ClientConfig
  readonly #preparation: Buffer
  readonly #limits: LaneLimits
  readonly #log: Logger
  readonly #open = new Set<Connection>()
  readonly #waiting: Turns<Waiting>
  readonly #sweep: NodeJS.Timeout
  #opening: Promise<void> | undefined
  #failedAt: number | undefined
  #closing = false

  constructor(options: { config: pg.ClientConfig; preparation: Buffer; limits: LaneLimits; log: Logger }) {
    this.#config = options.config
    this.#preparation = options.preparation
    this.#limits = options.limits
    this.#log = options.log
    this.#waiting = new Turns(options.limits.waiting)
    this.#sweep = setInterval(() => this.#tidy(), sweepMs).unref()
  }

  /** False from a failed attempt to connect until the next one that succeeds. Asks nobody. */
  get reachable(): boolean {
    return this.#failedAt === undefined
  }

  /**
   * Runs ready-made bytes that end in one Sync.
   * @throws AppError `unavailable` when nothing was sent; `ConnectionLost` or a `DatabaseError` otherwise.
   */
  run(owner: string, bytes: Buffer): Promise<Row> {
    return new Promise((resolve, reject) => {
      const job = { owner, bytes, resolve, reject, queuedAt: performance.now() }
      const connection = this.#closing ? undefined : this.#leastBusy()
      if (connection !== undefined && this.#waiting.size === 0) {
        if (connection.inFlight > 0) this.#grow()
        return this.#send(connection, job)
      }
      if (this.#closing || this.#justFailed() || !this.#waiting.add(job)) return reject(databaseUnavailable())
      this.#grow()
    })
  }

  /** Opens the first connection, so that a process that cannot serve says so at once. */
  async connect(): Promise<void> {
    this.#open.add(await this.#connection())
  }

  /** Refuses what waits, lets what is in flight finish, and closes. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#sweep)
    for (const job of this.#waiting.takeOlderThan(Infinity)) job.reject(databaseUnavailable())
    await this.#opening
    const overdue = setTimeout(() => {
      for (const connection of this.#open) connection.destroy()
    }, this.#limits.batchMs).unref()
    await Promise.all([...this.#open].map((connection) => connection.close()))
    clearTimeout(overdue)
  }

  #leastBusy(): Connection | undefined {
    let least: Connection | undefined
    for (const connection of this.#open)
      if (least === undefined || connection.inFlight < least.inFlight) least = connection
    return least !== undefined && least.inFlight < this.#limits.inFlight ? least : undefined
  }

  #send(connection: Connection, job: Waiting): void {
    connection.send({
      bytes: job.bytes,
      settle: (error, row) => {
        if (error === null) job.resolve(row)
        else job.reject(error)
        this.#serveWaiting()
      },
    })
  }

  #serveWaiting(): void {
    while (this.#waiting.size > 0) {
      const connection = this.#leastBusy()
      if (connection === undefined) return
      const job = this.#waiting.take()
      if (job !== undefined) this.#send(connection, job)
    }
  }

  #connection(): Promise<Connection> {
    return Connection.open(this.#config, this.#preparation, (ended) => this.#open.delete(ended))
  }

  /** Opens one more connection in the background unless one is being opened or there are enough. */
  #grow(): void {
    if (this.#opening !== undefined || this.#closing || this.#open.size >= this.#limits.connections) return
    this.#opening = this.#connection().then(
      (connection) => {
        this.#opening = undefined
        this.#open.add(connection)
        if (this.#failedAt !== undefined) this.#log.info({ event: 'database_back' }, 'database is back')
        this.#failedAt = undefined
        this.#serveWaiting()
      },
      (error: unknown) => {
        this.#opening = undefined
        if (this.#failedAt === undefined)
          this.#log.error({ event: 'database_lost', err: error }, 'database is out of reach')
        this.#failedAt = performance.now()
        if (this.#open.size > 0) return
        for (const job of this.#waiting.takeOlderThan(Infinity)) job.reject(databaseUnavailable(error))
      },
    )
  }

  /** Right after a failed attempt the next caller is refused at once instead of waiting for another. */
  #justFailed(): boolean {
    return this.#failedAt !== undefined && performance.now() - this.#failedAt < sweepMs
  }

  /** Gives up stuck connections, closes unused ones, refuses what waited too long, and tries to come back. */
  #tidy(): void {
    const now = performance.now()
    for (const connection of this.#open) {
      const age = now - connection.since
      if (connection.inFlight > 0 && age > this.#limits.batchMs) connection.destroy()
      else if (connection.inFlight === 0 && age > this.#limits.idleMs) {
        this.#open.delete(connection)
        void connection.close()
      }
    }
    for (const job of this.#waiting.takeOlderThan(now - this.#limits.waitMs))
      job.reject(databaseUnavailable())
    if (this.#failedAt !== undefined || this.#waiting.size > 0) this.#grow()
  }
}
