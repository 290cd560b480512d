/**
 * Signature checks per second. Beyond it, only addresses within their rate limit get a check. ES512 is the slowest
 * algorithm, at about 2 ms a check. A flood of wrong signatures takes at most half a core, or a twentieth of one with
 * EdDSA.
 */
export const checksPerSecond = 250

/** Counts the signature checks of the whole process. */
export type SignatureBudget = {
  /** Takes one check. False when none is left. The budget refills at `checksPerSecond`. */
  readonly take: () => boolean
}

/** A token bucket that holds one second of checks. `now` is in milliseconds. */
export function createSignatureBudget(now: () => number): SignatureBudget {
  let left = checksPerSecond
  let filledAt = now()
  return {
    take: () => {
      const at = now()
      // A clock that is set back removes nothing.
      const filled = (Math.max(0, at - filledAt) / 1000) * checksPerSecond
      left = Math.min(checksPerSecond, left + filled)
      filledAt = at
      if (left < 1) return false
      left -= 1
      return true
    },
  }
}
