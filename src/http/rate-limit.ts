import { hash } from 'node:crypto'
import type { Logger } from 'pino'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { RateWindows } from '../database/rate-windows.ts'
import { AppError } from '../errors.ts'
import { record } from '../events.ts'
import { createAddressCounters } from './address-counters.ts'
import type { Context } from './context.ts'
import { memoryCounter, sharedCounter } from './rate-counter.ts'

/** Counts requests a minute by some key. Throws AppError `rate_limited` for those beyond. */
export type RateLimit = {
  take(c: Context, key: string): Promise<void>
  /** Gives back what `take` took, for a request that turned out not to count; not from a count that is shared. */
  giveBack(key: string): void
}

const windowSeconds = 60

/**
 * At most `perMinute` requests in each minute since a key's first one; undefined when that is 0, which is off.
 * The answer says what is left and when it starts anew: `RateLimit`, `RateLimit-Policy`
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/), and `Retry-After` once it is used up.
 * With `windows` the count is shared with every instance on the same database, else it is this process's own.
 */
export function rateLimit(
  name: 'owner' | 'address',
  perMinute: number,
  log: Logger,
  windows?: RateWindows,
): RateLimit | undefined {
  if (perMinute === 0) return undefined
  const window = { points: perMinute, duration: windowSeconds }
  const memory = memoryCounter(window)
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
  return {
    async take(c, key) {
      try {
        tell(c, await limiter.consume(counter(key)))
      } catch (refused) {
        if (!(refused instanceof RateLimiterRes)) throw refused
        const seconds = tell(c, refused)
        // Once a window: a flood fills no log with more than its own requests.
        if (refused.consumedPoints === perMinute + 1)
          record(log, 'warn', 'rate_limited', { limit: name, caller: digest(key) })
        throw new AppError('rate_limited', `Too many requests: try again in ${seconds} s.`, {
          retryAfterSeconds: seconds,
          reason: `rate_limit_${name}`,
        })
      }
    },
    giveBack: (key) => void memory.reward(counter(key)),
  }
}

function digest(key: string): string {
  return hash('sha256', key).slice(0, 12)
}
