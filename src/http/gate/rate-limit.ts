import type { Logger } from 'pino'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { RateWindows } from '../../database/rate-windows.ts'
import { AppError } from '../../errors.ts'
import { record } from '../../events.ts'
import type { Context } from '../request/context.ts'
import { createAddressCounters } from './address-counters.ts'
import { memoryCounter, sharedCounter } from './rate-counter.ts'

/** Counts requests per minute by a key. */
export type RateLimit = {
  /** Counts the request. Beyond the limit it resolves with the function that makes the refusal. */
  take(c: Context, key: string): Promise<Refuse | undefined>
  /** Gives back a count of `take`, for a request that should not count. A shared count is not given back. */
  giveBack(key: string): void
}

/** Logs a refusal and makes its failure, AppError `rate_limited`. */
export type Refuse = () => AppError

type Options = {
  readonly name: 'owner' | 'address'
  /** 0 is off. */
  readonly perMinute: number
  readonly log: Logger
  /** The form of a key in the log. */
  readonly digest: (key: string) => string
  /** Set when several instances count requests together. */
  readonly windows?: RateWindows | undefined
}

const windowSeconds = 60

/**
 * Allows at most `perMinute` requests in each minute since a key's first one. Undefined when that is 0, which is off.
 * The response shows the rest and its reset time: `RateLimit`, `RateLimit-Policy`
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/), and `Retry-After` beyond the limit. With
 * `windows`, all instances on one database share the count. Otherwise each process has its own.
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
  // Logged once a minute. Counts are given back, so a key can pass its limit many times in one minute.
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
