import type { MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import { AppError } from '../errors.ts'
import { record } from '../events.ts'
import type { Env } from './context.ts'

export type PressureLimits = {
  /** From so many statements waiting for a connection on, no more are let in; half of what the queue holds. */
  readonly waiting: number
  /** From so late a timer on, the event loop has more to do than it can, in milliseconds. */
  readonly lateMs: number
  /** How often that is looked at, at the most, and how long the timer runs. */
  readonly everyMs: number
  readonly timerMs: number
  /**
   * The largest share refused for a late event loop. A refusal costs the processor nearly half of an answer, so
   * refusing more would leave less for answers, and none for those who come back at once.
   */
  readonly mostShare: number
  /** By how much the share grows with each look that finds it late, and shrinks with each that does not. */
  readonly step: number
}

export const pressureLimits: PressureLimits = {
  waiting: 500,
  lateMs: 200,
  everyMs: 100,
  timerMs: 10,
  mostShare: 0.3,
  step: 0.05,
}

export type Refusal = 'queue' | 'event_loop'

/** How much more there is to do than can be done, and who is therefore refused. Keeps no time of its own. */
export class Pressure {
  readonly #waiting: () => number
  readonly #limits: PressureLimits
  #share = 0
  #owed = 0

  constructor(waiting: () => number, limits: PressureLimits = pressureLimits) {
    this.#waiting = waiting
    this.#limits = limits
  }

  /** Takes note of how late a timer was, in milliseconds. One late timer is a pause, many are too much to do. */
  note(lateMs: number): void {
    const { step, mostShare } = this.#limits
    const share = this.#share + (lateMs >= this.#limits.lateMs ? step : -step)
    this.#share = Math.min(mostShare, Math.max(0, share))
    if (share <= 0) this.#owed = 0
  }

  /** Why this request is refused, if it is. Those refused for a late event loop are spread evenly over all. */
  refuses(): Refusal | undefined {
    if (this.#waiting() >= this.#limits.waiting) return 'queue'
    this.#owed += this.#share
    if (this.#owed < 1) return undefined
    this.#owed -= 1
    return 'event_loop'
  }
}

/** One line of the log a minute says that there is too much to do; each request refused has its own anyway. */
const tellEveryMs = 60_000

/**
 * Refuses what would only wait, as `unavailable`, so that the rest is answered in time. Comes behind authentication:
 * what is refused there, and health, never gets here. Costs a comparison a request, and a timer now and then.
 */
export function shedLoad(log: Logger, waiting: () => number): MiddlewareHandler<Env> {
  const pressure = new Pressure(waiting)
  const { everyMs, timerMs } = pressureLimits
  let lookAt = 0
  let tellAt = 0
  let refused = 0
  // Timed from requests: a process that nobody asks stays asleep.
  const look = (now: number) => {
    lookAt = now + everyMs
    setTimeout(() => pressure.note(performance.now() - now - timerMs), timerMs).unref()
  }
  return async (_c, next) => {
    const now = performance.now()
    if (now >= lookAt) look(now)
    const by = pressure.refuses()
    if (by === undefined) return next()
    if (now >= tellAt) {
      tellAt = now + tellEveryMs
      record(log, 'warn', 'overloaded', { by, waiting: waiting() })
    }
    throw new AppError('unavailable', 'There is more to do than can be done; try again shortly.', {
      // Not all at the same moment.
      retryAfterSeconds: 1 + (refused++ % 3),
      reason: `overload_${by}`,
    })
  }
}
