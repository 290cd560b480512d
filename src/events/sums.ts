import type { Logger } from 'pino'
import { type Level, record } from '../events.ts'

/** Responses of the same kind are repeats in the log. All values come from closed sets, so there are few kinds. */
export type Kind = {
  readonly status: number
  readonly code: string | undefined
  /** Why the request was refused. Where that has no name, `route` has the route pattern. */
  readonly reason?: string | undefined
  readonly route?: string | undefined
}

type Sum = { readonly kind: Kind; readonly level: Level; count: number }

/** How long repeats are counted before one line reports them. */
const sumMs = 1_000

/** The sums that each log has not written yet. */
const owed = new WeakMap<Logger, Map<string, Sum>>()

/**
 * Returns true when a response is counted instead of logged.
 * The first of its kind is logged in full. Repeats within a second are counted, and one line then reports their
 * number.
 * At level `debug` nothing is counted.
 */
export function isCounted(log: Logger, level: Level, kind: Kind): boolean {
  // The log of an app that mounts the API may have no levels.
  if ('isLevelEnabled' in log && log.isLevelEnabled('debug')) return false
  const sums = owed.get(log) ?? begin(log)
  const name = `${kind.status} ${kind.code} ${kind.reason} ${kind.route}`
  const sum = sums.get(name)
  if (sum === undefined) sums.set(name, { kind, level, count: 0 })
  else sum.count++
  return sum !== undefined
}

function begin(log: Logger): Map<string, Sum> {
  const sums = new Map<string, Sum>()
  owed.set(log, sums)
  setTimeout(writeSums, sumMs, log).unref()
  return sums
}

/** Writes all pending sums. A timer does this every second; a log that ends must call it. */
export function writeSums(log: Logger): void {
  const sums = owed.get(log)
  owed.delete(log)
  for (const { kind, level, count } of sums?.values() ?? [])
    if (count > 0) record(log, level, 'requests_summed', { ...kind, count })
}
