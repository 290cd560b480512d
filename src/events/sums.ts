import type { Logger } from 'pino'
import { type Level, record } from '../events.ts'

/** What makes one answer a repeat of another in the log. All of it is from closed sets, so there are few kinds. */
export type Kind = {
  readonly status: number
  readonly code: string | undefined
  /** Why it was refused, or, where that has no name, the pattern of the route. */
  readonly reason?: string | undefined
  readonly route?: string | undefined
}

type Sum = { readonly kind: Kind; readonly level: Level; count: number }

/** How long repeats are counted before a line tells of them. */
const sumMs = 1_000

/** What each log still owes. */
const owed = new WeakMap<Logger, Map<string, Sum>>()

/**
 * Whether this answer is counted instead of written. The first of its kind is to be written in full; those that follow
 * within a second are counted, and then one line tells how many they were. At the level `debug` nothing is counted.
 */
export function isCounted(log: Logger, level: Level, kind: Kind): boolean {
  if (log.isLevelEnabled('debug')) return false
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

/** Writes the sums of what was counted and not told yet. A log that ends needs it; otherwise each second does it. */
export function writeSums(log: Logger): void {
  const sums = owed.get(log)
  owed.delete(log)
  for (const { kind, level, count } of sums?.values() ?? [])
    if (count > 0) record(log, level, 'requests_summed', { ...kind, count })
}
