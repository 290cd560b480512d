import type { MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import { AppError } from '../../errors.ts'
import { record } from '../../events.ts'
import { problem } from '../answer/problem.ts'
import type { Env } from '../request/context.ts'

export type PressureLimits = {
  /** Longest estimated wait for a database connection, in milliseconds. Beyond it, requests are refused. */
  readonly waitMs: number
  /** Number of requests that may always wait. The size of a burst does not predict the next second. */
  readonly waiting: number
  /** Timer delay from which the event loop counts as overloaded, in milliseconds. */
  readonly lateMs: number
  /** Shortest interval between two measurements. Each one runs a timer of `timerMs`. */
  readonly everyMs: number
  readonly timerMs: number
  /**
   * Largest share of requests refused for a late event loop. A refusal costs nearly half the CPU time of an answer. So
   * a larger share would leave less for answers, and none if clients retry at once.
   */
  readonly mostShare: number
  /** The share grows by this with each measurement that is late, and shrinks by it with each other one. */
  readonly step: number
}

export const pressureLimits: PressureLimits = {
  waitMs: 500,
  waiting: 500,
  lateMs: 250,
  everyMs: 100,
  timerMs: 10,
  mostShare: 0.3,
  step: 0.05,
}

export type Reason = 'queue' | 'event_loop'

/** One measurement of the time since the last one. */
export type Look = {
  /** Delay of a timer. One late timer is a pause; many are an overload. */
  readonly lateMs: number
  /** Answered requests, without refused ones. `overMs` is the time they took. */
  readonly answered: number
  readonly overMs: number
}

/** Estimates the overload, and decides which requests to refuse. It reads no clock. */
export class Pressure {
  readonly #waiting: () => number
  readonly #limits: PressureLimits
  #share = 0
  #owed = 0
  #perMs = 0

  constructor(waiting: () => number, limits: PressureLimits = pressureLimits) {
    this.#waiting = waiting
    this.#limits = limits
  }

  note({ lateMs, answered, overMs }: Look): void {
    const { step, mostShare } = this.#limits
    const share = this.#share + (lateMs >= this.#limits.lateMs ? step : -step)
    this.#share = Math.min(mostShare, Math.max(0, share))
    if (share <= 0) this.#owed = 0
    this.#perMs = (this.#perMs + answered / overMs) / 2
  }

  /**
   * The reason to refuse this request, or undefined. Refusals for a late event loop are spread evenly over all
   * requests.
   */
  refuses(): Reason | undefined {
    const { waiting, waitMs } = this.#limits
    const ahead = this.#waiting()
    if (ahead >= waiting && ahead >= this.#perMs * waitMs) return 'queue'
    this.#owed += this.#share
    if (this.#owed < 1) return undefined
    this.#owed -= 1
    return 'event_loop'
  }
}

/** An overload is logged once a minute. The number of refused requests is summed up anyway. */
const tellEveryMs = 60_000

/**
 * Refuses requests that would only wait, as `unavailable`, so that the others are answered in time. It runs behind
 * authentication, so unauthenticated requests and health never reach it. It costs one comparison per request, and a
 * timer now and then.
 */
export function shedLoad(log: Logger, waiting: () => number): MiddlewareHandler<Env> {
  const pressure = new Pressure(waiting)
  const { everyMs, timerMs } = pressureLimits
  let lookedAt = performance.now()
  let answered = 0
  let tellAt = 0
  let refused = 0
  // Requests trigger the measurement, so an idle process stays asleep.
  const look = (now: number) => {
    const since = { answered, overMs: now - lookedAt }
    lookedAt = now
    answered = 0
    const noted = () => pressure.note({ ...since, lateMs: performance.now() - now - timerMs })
    setTimeout(noted, timerMs).unref()
  }
  return async (c, next) => {
    const now = performance.now()
    if (now - lookedAt >= everyMs) look(now)
    const by = pressure.refuses()
    if (by === undefined) {
      await next()
      answered++
      return
    }
    if (now >= tellAt) {
      tellAt = now + tellEveryMs
      record(log, 'warn', 'overloaded', { by, waiting: waiting() })
    }
    // Returned, not thrown, and built once: in an overload, a refusal must be cheap.
    return problem(c, refusals[by][refused++ % retryAfterSeconds.length])
  }
}

/** Different values spread the retries. */
const retryAfterSeconds = [1, 2, 3] as const

const refusals: Record<Reason, readonly AppError[]> = {
  queue: refusalsFor('queue'),
  event_loop: refusalsFor('event_loop'),
}

function refusalsFor(by: Reason): AppError[] {
  const cause = new Error(`overload: ${by}`)
  // The stack says nothing here, and the log would repeat it each time.
  delete cause.stack
  return retryAfterSeconds.map(
    (seconds) =>
      new AppError('unavailable', 'There is more to do than can be done; try again shortly.', {
        retryAfterSeconds: seconds,
        reason: `overload_${by}`,
        cause,
      }),
  )
}
