import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Primary } from '../../main.ts'

/** What a worker asks its primary when it listens no longer; whatever comes back is the answer. */
export const parting = 'parting'

/** Longer than any answer of a primary that is there. */
const partedWithinMs = 2_000

/** The primary of this process, which is a worker of `node:cluster`. */
export function primaryOf(worker: NodeJS.Process): Primary {
  return {
    ready: (origin) => void worker.send?.({ origin }),
    // Connections come in the order of messages: behind the answer there are none. One that came to a process that is
    // gone would be reset; by one that is there it is given back.
    parted: async () => {
      if (!worker.connected) return
      const answered = once(worker, 'message')
      worker.send?.(parting, undefined, undefined, () => undefined)
      await Promise.race([
        answered,
        once(worker, 'disconnect'),
        wait(partedWithinMs, undefined, { ref: false }),
      ])
    },
  }
}
