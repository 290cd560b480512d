/**
 * Signature checks a second, beyond which only addresses within their limit are checked. ES512 is the slowest kind, at
 * about 2 ms a check: so a flood of wrong signatures takes half a core at the most, and a twentieth with EdDSA.
 */
export const checksPerSecond = 250

/** Counts the signature checks of the whole process. */
export type SignatureBudget = {
  /** Takes one check. False when none is left; the budget fills again at `checksPerSecond`. */
  readonly take: () => boolean
}

/** A token bucket that holds one second of checks. `now` is in milliseconds. */
export function createSignatureBudget(now: () => number): SignatureBudget {
  let left = checksPerSecond
  let filledAt = now()
  return {
    take: () => {
      const at = now()
      // A clock that is set back takes nothing away.
      const filled = (Math.max(0, at - filledAt) / 1000) * checksPerSecond
      left = Math.min(checksPerSecond, left + filled)
      filledAt = at
      if (left < 1) return false
      left -= 1
      return true
    },
  }
}
