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
  /** Most connections; they open as the load asks for them. */
  readonly connections: number
  /** Most batches in flight on one connection. */
  readonly inFlight: number
  /** How much one connection is given while another has room, in the unit of `Statement.weight`. */
  readonly full: number
  /** Most batches of one owner in flight, so that nobody's slow ones are in front of everybody. */
  readonly inFlightOfOne: number
  /** Most batches waiting for a connection, in all, and of one owner. */
  readonly waiting: number
  readonly waitingOfOne: number
  /** How long one may wait for a connection. */
  readonly waitMs: number
  /** How long the oldest batch in flight may run before its connection is given up. */
  readonly batchMs: number
  /** How long an unused connection is kept: below the five minutes after which Neon suspends. */
  readonly idleMs: number
  /** How long a connection may take until it is ready for work. */
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

/** How often it is tried to connect before those who wait are told, unless the database is known to be lost. */
const connectAttempts = 3

/**
 * A few connections, each with many batches in flight; which one takes the next is a matter of their weight. What finds
 * no room waits in `Turns`, bounded in number and time, and is then refused as `unavailable`.
 */
export class Lanes {
  readonly #openLane: OpenLane
  readonly #limits: LaneLimits
  readonly #log: Logger
  readonly #open = new Set<Lane>()
  /** Take no more work, and have some in flight. */
  readonly #leaving = new Set<Lane>()
  readonly #waiting: Turns<Queued>
  readonly #inFlight: InFlight
  readonly #sweep: NodeJS.Timeout
  #opening: Promise<void> | undefined
  /** Until when there is no other attempt to connect; by `performance.now()`. */
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

  /** False from a failed attempt to connect, while no connection is open, until one succeeds. Asks nobody. */
  get reachable(): boolean {
    return !this.#lost
  }

  /** How many batches wait for a connection, those left out that their own owner's share holds back. */
  get waiting(): number {
    return this.#waiting.ready
  }

  /**
   * Runs one owner batch.
   * @throws AppError `unavailable` when nothing was sent; `ConnectionLost` or a `DatabaseError` otherwise.
   */
  run(batch: Batch): Promise<Results> {
    return new Promise((resolve, reject) => {
      const { owner } = batch
      const queued = { owner, batch, resolve, reject, queuedAt: performance.now() }
      const next = this.#waiting.size === 0 && !this.#closing && this.#mayTake(owner)
      const connection = next ? this.#connectionFor(queued) : undefined
      if (connection !== undefined) return this.#send(connection, queued)
      // While the database is lost, who comes is refused at once instead of waiting for another attempt.
      const hopeless = this.#closing || (this.#lost && this.#justFailed())
      if (hopeless || !this.#waiting.add(queued)) return reject(databaseUnavailable())
      // What waits may be held back by its own owner's share only, and another connection would change nothing.
      this.#serveWaiting()
      if (this.#waiting.size > 0 && this.#leastBusy() === undefined) this.#grow()
    })
  }

  /** Opens the first connection, so that a process that cannot serve says so at once. */
  async connect(): Promise<void> {
    this.#open.add(await this.#connected())
  }

  /** Refuses what waits, lets what is in flight finish, and closes. */
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
   * What is known to be over soon shares connections, as many as have room, so that it shares system calls and
   * processes of Postgres: gets from the front, lists from the other end. What is heavy may hold up whoever stands behind
   * it, by a commit, a lock or its length, and goes to the least busy; an owner's follow each other: over several
   * connections their writes would wait there for each other, since each locks the row that counts what the owner has, and
   * their long lists would take as many processes of Postgres.
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

  /** Whether one more connection would have been better; two there should be, so that gets stand behind no commit. */
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

  /** A moment's failure to connect is nobody's business. */
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

  /** Opens one more connection in the background unless one is being opened, just failed, or there are enough. */
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
        // No further connection to be had is no loss: those there are go on serving.
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

  /** Gives up stuck connections, closes unused ones, refuses what waited too long, and tries to come back. */
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
