import type { Logger } from 'pino'
import { causeOf, record } from '../../events.ts'
import type { Batch, Results } from '../batch/batch.ts'
import type { Lane, OpenLane } from '../batch/lane.ts'
import { connectsSoon, pauseAfter } from '../failures/failed-connects.ts'
import { callerGone, databaseUnavailable, endsEveryConnection } from '../failures/failures.ts'
import { attempt, clock } from '../failures/retry.ts'
import { InFlight } from './in-flight.ts'
import { Turns } from './turns.ts'

export type LaneLimits = {
  /** Maximum connections. They open with the load. */
  readonly connections: number
  /** Maximum batches in flight on one connection. */
  readonly inFlight: number
  /** Maximum load of one connection while another has room, in the unit of `Statement.weight`. */
  readonly full: number
  /** Maximum batches of one owner in flight, so that one owner's slow batches do not block all others. */
  readonly inFlightOfOne: number
  /** Maximum batches that wait for a connection, in total and of one owner. */
  readonly waiting: number
  readonly waitingOfOne: number
  /** Longest wait for a connection. */
  readonly waitMs: number
  /** Longest run of the oldest batch in flight before its connection is given up. */
  readonly batchMs: number
  /** Longest idle time of a connection. It is below the five minutes after which Neon suspends. */
  readonly idleMs: number
  /** Longest time until a new connection is ready for work. */
  readonly connectMs: number
}

export const laneLimits: LaneLimits = {
  connections: 16,
  inFlight: 32,
  full: 16,
  inFlightOfOne: 4,
  waiting: 10_000,
  waitingOfOne: 250,
  waitMs: 2_000,
  batchMs: 6_000,
  idleMs: 60_000,
  connectMs: 10_000,
}

type Queued = {
  readonly owner: string
  readonly batch: Batch
  readonly queuedAt: number
  readonly resolve: (results: Results) => void
  readonly reject: (error: unknown) => void
}

const sweepMs = 500

/** Attempts to connect before the waiting batches are refused. A database known to be lost gets one. */
const connectAttempts = 3

/**
 * A few connections, each with many batches in flight. The weight of a batch decides which connection takes it.
 * A batch that finds no room waits in `Turns`, limited in number and time. Beyond these limits it is refused as
 * `unavailable`.
 */
export class Lanes {
  readonly #openLane: OpenLane
  readonly #limits: LaneLimits
  readonly #log: Logger
  readonly #open = new Set<Lane>()
  /** Connections that take no more batches and have some in flight. */
  readonly #leaving = new Set<Lane>()
  readonly #waiting: Turns<Queued>
  readonly #inFlight: InFlight
  readonly #sweep: NodeJS.Timeout
  #opening: Promise<void> | undefined
  /** No other attempt to connect begins before this time, by `performance.now()`. */
  #pausedUntil = 0
  #lost = false
  #closing = false

  constructor(options: { open: OpenLane; limits: LaneLimits; log: Logger }) {
    this.#openLane = options.open
    this.#limits = options.limits
    this.#log = options.log
    this.#inFlight = new InFlight(options.limits.full)
    this.#waiting = new Turns(
      options.limits.waiting,
      options.limits.waitingOfOne,
      options.limits.inFlightOfOne,
    )
    this.#sweep = setInterval(() => this.#tidy(), sweepMs).unref()
  }

  /** False after a failed attempt to connect, while no connection is open, until one succeeds. It sends no query. */
  get reachable(): boolean {
    return !this.#lost
  }

  /** Number of batches that wait for a connection. Batches held back by their own owner's share do not count. */
  get waiting(): number {
    return this.#waiting.ready
  }

  /**
   * Runs one batch of one owner.
   * @throws AppError `unavailable` when nothing was sent; `ConnectionLost` or a `DatabaseError` otherwise.
   */
  run(batch: Batch): Promise<Results> {
    return new Promise((resolve, reject) => {
      const { owner } = batch
      const queued = { owner, batch, resolve, reject, queuedAt: performance.now() }
      const next = this.#waiting.size === 0 && !this.#closing && this.#mayTake(owner)
      const connection = next ? this.#connectionFor(queued) : undefined
      if (connection !== undefined) return this.#send(connection, queued)
      // While the database is lost, a new batch is refused at once. It does not wait for another attempt.
      const hopeless = this.#closing || (this.#lost && this.#justFailed())
      if (hopeless || !this.#waiting.add(queued)) return reject(databaseUnavailable())
      // Waiting batches may be held back only by their owner's share. Another connection would not help them.
      this.#serveWaiting()
      if (this.#waiting.size > 0 && this.#leastBusy() === undefined) this.#grow()
    })
  }

  /** Opens the first connection, so that a process that cannot serve fails at once. */
  async connect(): Promise<void> {
    this.#open.add(await this.#connected())
  }

  /** Refuses waiting batches, lets batches in flight finish, and closes. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#sweep)
    for (const queued of this.#waiting.takeOlderThan(Infinity)) queued.reject(databaseUnavailable())
    await this.#opening
    const overdue = setTimeout(() => {
      for (const connection of [...this.#open, ...this.#leaving]) connection.destroy()
    }, this.#limits.batchMs).unref()
    await Promise.all([...this.#open, ...this.#leaving].map((connection) => connection.close()))
    clearTimeout(overdue)
  }

  #mayTake(owner: string): boolean {
    return this.#inFlight.of(owner).inFlight < this.#limits.inFlightOfOne
  }

  /**
   * Light batches share the connections that have room, and so share system calls and Postgres processes. Gets take
   * the first such connection, lists the last.
   * A heavy batch can delay the batches behind it, by a commit, a lock or its length. It takes the least busy
   * connection.
   * Heavy batches of one owner follow each other on one connection. On several, their writes would wait for each
   * other, since each locks the row that counts what the owner has. Their long lists would occupy several Postgres
   * processes.
   */
  #connectionFor({ owner, batch }: Queued): Lane | undefined {
    if (!this.#inFlight.isHeavy(batch)) return this.#withRoomFor(batch) ?? this.#leastBusy()
    const { heavyOn } = this.#inFlight.of(owner)
    return heavyOn !== undefined && this.#takesMore(heavyOn) && this.#open.has(heavyOn)
      ? heavyOn
      : this.#leastBusy()
  }

  #takesMore(connection: Lane): boolean {
    return connection.inFlight < this.#limits.inFlight
  }

  #withRoomFor(batch: Batch): Lane | undefined {
    let last: Lane | undefined
    for (const connection of this.#open) {
      if (!this.#takesMore(connection) || !this.#inFlight.hasRoom(connection, batch)) continue
      if (batch.weight === 1) return connection
      last = connection
    }
    return last
  }

  #leastBusy(): Lane | undefined {
    let least: Lane | undefined
    for (const connection of this.#open) {
      if (!this.#takesMore(connection)) continue
      if (least === undefined || this.#inFlight.loadOn(connection) <= this.#inFlight.loadOn(least))
        least = connection
    }
    return least
  }

  /**
   * True when one more connection would have been better. There should be two, so that gets do not wait behind a
   * commit.
   */
  #wantsAnother(connection: Lane, { owner, batch }: Queued): boolean {
    if (connection.inFlight === 0) return false
    if (this.#open.size === 1) return true
    if (this.#inFlight.isHeavy(batch) && this.#inFlight.of(owner).heavyOn === connection) return false
    return !this.#inFlight.hasRoom(connection, batch)
  }

  #send(connection: Lane, queued: Queued): void {
    if (this.#wantsAnother(connection, queued)) this.#grow()
    const done = this.#inFlight.add(connection, queued.batch)
    connection.send(queued.batch, (error, results) => {
      done()
      if (error !== null && endsEveryConnection(error)) for (const each of this.#open) each.retire()
      if (error === null) queued.resolve(results)
      else queued.reject(error)
      this.#serveWaiting()
    })
  }

  #serveWaiting(): void {
    while (this.#waiting.size > 0 && this.#leastBusy() !== undefined) {
      const queued = this.#waiting.take((owner) => this.#mayTake(owner))
      if (queued?.batch.gone?.()) {
        queued.reject(callerGone())
        continue
      }
      const connection = queued === undefined ? undefined : this.#connectionFor(queued)
      if (queued === undefined || connection === undefined) return
      this.#send(connection, queued)
    }
  }

  /** Retries transient connect failures. */
  #connected(): Promise<Lane> {
    const again = (error: unknown) => !this.#closing && connectsSoon(error)
    const limits = { most: this.#lost ? 1 : connectAttempts, withinMs: this.#limits.waitMs }
    return attempt(() => this.#connect(), again, { ...limits, ...clock })
  }

  #connect(): Promise<Lane> {
    return this.#openLane({
      connectMs: this.#limits.connectMs,
      onEnd: (ended) => {
        this.#open.delete(ended)
        if (ended.inFlight > 0) this.#leaving.add(ended)
      },
    })
  }

  /** Opens one connection in the background, unless one is opening, one just failed, or the maximum is reached. */
  #grow(): void {
    if (this.#opening !== undefined || this.#closing || this.#justFailed()) return
    if (this.#open.size >= this.#limits.connections) return
    this.#opening = this.#connected().then(
      (connection) => {
        this.#opening = undefined
        this.#open.add(connection)
        if (this.#lost) record(this.#log, 'info', 'database_back', {})
        this.#lost = false
        this.#pausedUntil = 0
        this.#serveWaiting()
      },
      (error: unknown) => {
        this.#opening = undefined
        this.#pausedUntil = performance.now() + pauseAfter(error)
        // The open connections go on serving, so a failed additional one is no loss of the database.
        if (this.#open.size > 0) return
        if (!this.#lost) record(this.#log, 'error', 'database_lost', { cause: causeOf(error) })
        this.#lost = true
        for (const queued of this.#waiting.takeOlderThan(Infinity)) queued.reject(databaseUnavailable(error))
      },
    )
  }

  #justFailed(): boolean {
    return performance.now() < this.#pausedUntil
  }

  /** Gives up stuck connections, closes unused ones, refuses batches that waited too long, and reconnects. */
  #tidy(): void {
    const now = performance.now()
    for (const connection of this.#leaving) if (connection.inFlight === 0) this.#leaving.delete(connection)
    for (const connection of [...this.#open, ...this.#leaving]) {
      const age = now - connection.since
      if (connection.inFlight > 0 && age > this.#limits.batchMs) connection.destroy()
      else if (connection.inFlight === 0 && age > this.#limits.idleMs) {
        this.#open.delete(connection)
        void connection.close()
      }
    }
    for (const queued of this.#waiting.takeOlderThan(now - this.#limits.waitMs))
      queued.reject(databaseUnavailable())
    if (this.#lost || (this.#waiting.size > 0 && this.#leastBusy() === undefined)) this.#grow()
  }
}
