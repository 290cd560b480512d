import { setTimeout as sleep } from 'node:timers/promises'

/** Where time and chance come from; milliseconds, and a number from 0 to 1. */
export type Clock = { now(): number; random(): number; sleep(ms: number): Promise<unknown> }

export const clock: Clock = { now: () => performance.now(), random: Math.random, sleep: (ms) => sleep(ms) }

export type Limits = {
  /** How often the work is done at the most. */
  readonly most: number
  /** No attempt begins later than this after the first. */
  readonly withinMs: number
}

/** A pause doubles from here, and is then drawn between none and all of it, so that those who failed together part. */
const pauseMs = 100

/**
 * Does the work, and again when `again` says of its failure that it may be. Fails with the last failure.
 */
export async function attempt<T>(
  work: () => Promise<T>,
  again: (error: unknown) => boolean,
  { most, withinMs, now, random, sleep }: Limits & Clock,
): Promise<T> {
  const start = now()
  for (let attempts = 1; ; attempts++) {
    try {
      return await work()
    } catch (error) {
      if (attempts >= most || !again(error)) throw error
      const pause = random() * pauseMs * 2 ** (attempts - 1)
      if (now() + pause - start > withinMs) throw error
      await sleep(pause)
    }
  }
}
