import type { MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import { AppError } from '../../errors.ts'
import { record } from '../../events.ts'
import { problem } from '../answer/problem.ts'
import type { Env } from '../request/context.ts'

export type PressureLimits = {
  /** Who would wait longer for a connection to the database than this, in milliseconds, is refused. */
  readonly waitMs: number
  /** So many may wait in any case: what a burst brings says nothing about the next second. */
  readonly waiting: number
  /** From so late a timer on, the event loop has more to do than it can, in milliseconds. */
  readonly lateMs: number
  /** How often both are looked at, at the most, and how long the timer runs. */
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
  waitMs: 500,
  waiting: 500,
  lateMs: 250,
  everyMs: 100,
  timerMs: 10,
  mostShare: 0.3,
  step: 0.05,
}

export type Reason = 'queue' | 'event_loop'

/** One look at what happened since the last one. */
export type Look = {
  /** How late a timer was. One late timer is a pause, many are too much to do. */
  readonly lateMs: number
  /** Requests answered, those refused left out, and over how long. */
  readonly answered: number
  readonly overMs: number
}

/** How much more there is to do than can be done, and who is therefore refused. Keeps no time of its own. */
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

  /** Why this request is refused, if it is. Those refused for a late event loop are spread evenly over all. */
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

/** One line of the log a minute says that there is too much to do; how many were refused is summed up anyway. */
const tellEveryMs = 60_000

/**
 * Refuses what would only wait, as `unavailable`, so that the rest is answered in time. Comes behind authentication:
 * what is refused there, and health, never gets here. Costs a comparison a request, and a timer now and then.
 */
export function shedLoad(log: Logger, waiting: () => number): MiddlewareHandler<Env> {
  const pressure = new Pressure(waiting)
  const { everyMs, timerMs } = pressureLimits
  let lookedAt = performance.now()
  let answered = 0
  let tellAt = 0
  let refused = 0
  // Timed from requests: a process that nobody asks stays asleep.
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
    // Not thrown, and the same few each time: where there is too much to do, a refusal must be cheap.
    return problem(c, refusals[by][refused++ % retryAfterSeconds.length])
  }
}

/** Not all at the same moment. */
const retryAfterSeconds = [1, 2, 3] as const

const refusals: Record<Reason, readonly AppError[]> = {
  queue: refusalsFor('queue'),
  event_loop: refusalsFor('event_loop'),
}

function refusalsFor(by: Reason): AppError[] {
  const cause = new Error(`overload: ${by}`)
  // Where it was made says nothing, and the log would tell it each time.
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
