import { hash } from 'node:crypto'
import type { Logger } from 'pino'
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import { type RateWindows, rateWindowsTable } from '../../database/rate-windows.ts'
import { causeOf, record } from '../../events.ts'

/** Counts by key in time windows. `consume` rejects with `RateLimiterRes` beyond `points`. */
export type RateCounter = Pick<RateLimiterMemory, 'consume'>

type Window = { readonly points: number; readonly duration: number }

export function memoryCounter({ points, duration }: Window): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration, keyPrefix: '' })
}

/** After the store fails, memory counts alone for this long. Then the store is asked again. */
const aloneMs = 1_000

/**
 * Counts in Postgres, for all instances that share it: one statement per request. A key beyond its limit is remembered
 * here until the window ends, and costs no statement.
 *
 * While the store fails, this process counts in its own memory. The limit then holds per instance, and no request
 * fails. Requests that discover the failure wait for it, for at most a second.
 */
export function sharedCounter(
  window: Window,
  windows: RateWindows,
  { log, now = performance.now.bind(performance) }: { log: Logger; now?: () => number },
): RateCounter {
  const memory = memoryCounter(window)
  const shared = new RateLimiterPostgres({
    ...window,
    ...rateWindowsTable,
    storeClient: windows,
    storeType: 'pool',
    tableCreated: true,
    keyPrefix: '',
    inMemoryBlockOnConsumed: window.points + 1,
  })
  let failedAt = Number.NEGATIVE_INFINITY
  let lost = false
  let asking = false
  return {
    consume: async (key) => {
      const digest = hash('sha256', String(key))
      // Once the store is lost, one request per second tries it for all.
      if (now() - failedAt < aloneMs || (lost && asking)) return memory.consume(digest)
      asking = true
      try {
        const told = await shared.consume(digest)
        if (lost) record(log, 'info', 'rate_store_back', {})
        lost = false
        return told
      } catch (error) {
        if (error instanceof RateLimiterRes) throw error
        if (!lost) record(log, 'warn', 'rate_store_lost', { cause: causeOf(error) })
        lost = true
        failedAt = now()
        return memory.consume(digest)
      } finally {
        asking = false
      }
    },
  }
}
