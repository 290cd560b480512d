import type { Logger } from 'pino'
import { causeOf, record } from '../events.ts'
import { attempt, clock } from './attempts.ts'
import { connectsSoon, pauseAfter } from './connecting.ts'
import type { Lane, OpenLane } from './connection.ts'
import { callerGone, databaseUnavailable, endsEveryConnection } from './failures.ts'
import type { OwnerCall } from './owner-batch.ts'
import type { Row } from './statement.ts'
import { Turns } from './turns.ts'

export type LaneLimits = {
  /** Most connections; they open as the load asks for them. */
  readonly connections: number
  /** Most batches in flight on one connection. */
  readonly inFlight: number
  /** How many in flight on a connection send the next brief statement to another. */
  readonly briefInFlight: number
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
  briefInFlight: 16,
  inFlightOfOne: 4,
  waiting: 10_000,
  waitingOfOne: 250,
  waitMs: 2_000,
  batchMs: 6_000,
  idleMs: 60_000,
  connectMs: 10_000,
}

type Waiting = {
  readonly owner: string
  readonly call: OwnerCall
  readonly queuedAt: number
  readonly resolve: (row: Row) => void
  readonly reject: (error: unknown) => void
}

/**
 * What an owner has in flight, and where the writes among it are. Writes lock the owner's count of tasks: sent over two
 * connections, the second would wait there for the first one's commit, and hold up whoever stands behind it.
 */
type Share = { inFlight: number; writes: number; writesOn: Lane | undefined }

const sweepMs = 500

/** How often it is tried to connect before those who wait are told, unless the database is known to be lost. */
const connectAttempts = 3

/**
 * A few connections, each with many batches in flight; the least busy takes the next one. What finds no room
 * waits in `Turns`, bounded in number and time, and is then refused as `unavailable`.
 */
export class Lanes {
  readonly #openLane: OpenLane
  readonly #limits: LaneLimits
  readonly #log: Logger
  readonly #open = new Set<Lane>()
  /** Take no more work, and have some in flight. */
  readonly #leaving = new Set<Lane>()
  readonly #waiting: Turns<Waiting>
  readonly #shares = new Map<string, Share>()
  /** How many in flight are not brief, where there are any. */
  readonly #long = new Map<Lane, number>()
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
  run(call: OwnerCall): Promise<Row> {
    return new Promise((resolve, reject) => {
      const { owner } = call
      const job = { owner, call, resolve, reject, queuedAt: performance.now() }
      const connection = this.#closing || !this.#mayTake(owner) ? undefined : this.#connectionFor(job)
      if (connection !== undefined && this.#waiting.size === 0) return this.#send(connection, job)
      // While the database is lost, who comes is refused at once instead of waiting for another attempt.
      const hopeless = this.#closing || (this.#lost && this.#justFailed())
      if (hopeless || !this.#waiting.add(job)) return reject(databaseUnavailable())
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
    for (const job of this.#waiting.takeOlderThan(Infinity)) job.reject(databaseUnavailable())
    await this.#opening
    const overdue = setTimeout(() => {
      for (const connection of [...this.#open, ...this.#leaving]) connection.destroy()
    }, this.#limits.batchMs).unref()
    await Promise.all([...this.#open, ...this.#leaving].map((connection) => connection.close()))
    clearTimeout(overdue)
  }

  #mayTake(owner: string): boolean {
    return (this.#shares.get(owner)?.inFlight ?? 0) < this.#limits.inFlightOfOne
  }

  /**
   * Brief statements fill the first connections on which there is nothing else, many together, so that they share system calls. All others go to the
   * least busy from the other end: a commit or a long list holds up what stands behind it. An owner's writes follow each
   * other where there is one in flight already.
   */
  #connectionFor({ owner, call: { statement } }: Waiting): Lane | undefined {
    if (statement.brief) return this.#firstWithRoom() ?? this.#leastBusy()
    const writing = statement.kind === 'write' ? this.#shares.get(owner)?.writesOn : undefined
    const holdsMore = writing !== undefined && writing.inFlight < this.#limits.inFlight
    return holdsMore && this.#open.has(writing) ? writing : this.#leastBusy()
  }

  #firstWithRoom(): Lane | undefined {
    const room = Math.min(this.#limits.briefInFlight, this.#limits.inFlight)
    let first: Lane | undefined
    for (const connection of this.#open) {
      if (connection.inFlight >= room) continue
      if (!this.#long.has(connection)) return connection
      first ??= connection
    }
    return first
  }

  /** Whether one more connection would have been better; two there should be, so that brief ones stand behind no commit. */
  #wantsAnother(connection: Lane, { owner, call: { statement } }: Waiting): boolean {
    const { inFlight } = connection
    if (this.#open.size === 1) return inFlight > 0
    if (this.#shares.get(owner)?.writesOn === connection && statement.kind === 'write') return false
    if (!statement.brief) return inFlight > 0
    return inFlight >= this.#limits.briefInFlight || this.#long.has(connection)
  }

  #leastBusy(): Lane | undefined {
    let least: Lane | undefined
    for (const connection of this.#open)
      if (least === undefined || connection.inFlight <= least.inFlight) least = connection
    return least !== undefined && least.inFlight < this.#limits.inFlight ? least : undefined
  }

  #send(connection: Lane, job: Waiting): void {
    if (this.#wantsAnother(connection, job)) this.#grow()
    const done = this.#noteInFlight(connection, job)
    connection.send({
      call: job.call,
      settle: (error, row) => {
        done()
        if (error !== null && endsEveryConnection(error)) for (const each of this.#open) each.retire()
        if (error === null) job.resolve(row)
        else job.reject(error)
        this.#serveWaiting()
      },
    })
  }

  /** Counts a batch in; what it returns counts it out. */
  #noteInFlight(connection: Lane, { owner, call }: Waiting): () => void {
    const { kind, brief } = call.statement
    if (!brief) this.#long.set(connection, (this.#long.get(connection) ?? 0) + 1)
    const share = this.#shares.get(owner) ?? { inFlight: 0, writes: 0, writesOn: undefined }
    this.#shares.set(owner, share)
    share.inFlight++
    if (kind === 'write') {
      share.writes++
      share.writesOn = connection
    }
    return () => {
      const long = (this.#long.get(connection) ?? 0) - 1
      if (!brief && long > 0) this.#long.set(connection, long)
      else if (!brief) this.#long.delete(connection)
      if (kind === 'write' && --share.writes === 0) share.writesOn = undefined
      if (--share.inFlight === 0) this.#shares.delete(owner)
    }
  }

  #serveWaiting(): void {
    while (this.#waiting.size > 0 && this.#leastBusy() !== undefined) {
      const job = this.#waiting.take((owner) => this.#mayTake(owner))
      if (job?.call.gone?.()) {
        job.reject(callerGone())
        continue
      }
      const connection = job === undefined ? undefined : this.#connectionFor(job)
      if (job === undefined || connection === undefined) return
      this.#send(connection, job)
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
        for (const job of this.#waiting.takeOlderThan(Infinity)) job.reject(databaseUnavailable(error))
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
    for (const job of this.#waiting.takeOlderThan(now - this.#limits.waitMs))
      job.reject(databaseUnavailable())
    if (this.#lost || (this.#waiting.size > 0 && this.#leastBusy() === undefined)) this.#grow()
  }
}
