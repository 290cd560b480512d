import { setTimeout as sleep } from 'node:timers/promises'

/** The sources of time (milliseconds) and of chance (a number from 0 to 1). */
export type Clock = { now(): number; random(): number; sleep(ms: number): Promise<unknown> }

export const clock: Clock = { now: () => performance.now(), random: Math.random, sleep: (ms) => sleep(ms) }

export type Limits = {
  /** Maximum attempts. */
  readonly most: number
  /** No attempt begins later than this after the first. */
  readonly withinMs: number
}

/**
 * The first pause, doubled with each attempt. The actual pause is random, from zero to that, so that simultaneous
 * failures spread out.
 */
const pauseMs = 100

/**
 * Does the work, and repeats it when `again` allows that for its error.
 * @throws the last error.
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
