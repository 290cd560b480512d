import type { Logger } from 'pino'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { RateWindows } from '../../database/rate-windows.ts'
import { AppError } from '../../errors.ts'
import { record } from '../../events.ts'
import type { Context } from '../request/context.ts'
import { createAddressCounters } from './address-counters.ts'
import { memoryCounter, sharedCounter } from './rate-counter.ts'

/** Counts requests a minute by some key. */
export type RateLimit = {
  /** Counts the request. For one beyond the limit it resolves with how to refuse it. */
  take(c: Context, key: string): Promise<Refuse | undefined>
  /** Gives back what `take` took, for a request that turned out not to count; not from a count that is shared. */
  giveBack(key: string): void
}

/** Notes a refusal in the log and makes its failure, AppError `rate_limited`. */
export type Refuse = () => AppError

type Options = {
  readonly name: 'owner' | 'address'
  /** 0 is off. */
  readonly perMinute: number
  readonly log: Logger
  /** What the log has for a key. */
  readonly digest: (key: string) => string
  /** Where requests are counted for several instances together. */
  readonly windows?: RateWindows | undefined
}

const windowSeconds = 60

/**
 * At most `perMinute` requests in each minute since a key's first one; undefined when that is 0, which is off.
 * The answer says what is left and when it starts anew: `RateLimit`, `RateLimit-Policy`
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/), and `Retry-After` once it is used up.
 * With `windows` the count is shared with every instance on the same database, else it is this process's own.
 */
export function rateLimit({ name, perMinute, log, digest, windows }: Options): RateLimit | undefined {
  if (perMinute === 0) return undefined
  const window = { points: perMinute, duration: windowSeconds }
  const memory = memoryCounter(window)
  const refusals = memoryCounter(window)
  const limiter = windows === undefined ? memory : sharedCounter(window, windows, { log })
  const counter = name === 'address' ? createAddressCounters() : (key: string) => key
  const policy = `"${name}";q=${perMinute};w=${windowSeconds}`
  const tell = (c: Context, left: RateLimiterRes) => {
    const seconds = Math.ceil(left.msBeforeNext / 1000)
    const headers = c.get('headers')
    headers['ratelimit-policy'] = policy
    headers.ratelimit = `"${name}";r=${left.remainingPoints};t=${seconds}`
    return seconds
  }
  // Once a minute: counts are given back, so the request behind the last one let through may come many times.
  const note = async (key: string, counted: string) => {
    const { consumedPoints } = await refusals.penalty(counted)
    if (consumedPoints === 1) record(log, 'warn', 'rate_limited', { limit: name, caller: digest(key) })
  }
  return {
    async take(c, key) {
      const counted = counter(key)
      try {
        tell(c, await limiter.consume(counted))
        return undefined
      } catch (refused) {
        if (!(refused instanceof RateLimiterRes)) throw refused
        const seconds = tell(c, refused)
        return () => {
          void note(key, counted)
          return new AppError('rate_limited', `Too many requests: try again in ${seconds} s.`, {
            retryAfterSeconds: seconds,
            reason: `rate_limit_${name}`,
          })
        }
      }
    },
    giveBack: (key) => void memory.reward(counter(key)),
  }
}
