import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Primary } from '../../main.ts'

/** The message of a worker that has stopped listening. Any message from the primary is the answer. */
export const parting = 'parting'

/** Longer than a running primary takes to answer. */
const partedWithinMs = 2_000

/** The primary of this process, which is a worker of `node:cluster`. */
export function primaryOf(worker: NodeJS.Process): Primary {
  return {
    ready: (origin) => void worker.send?.({ origin }),
    // Messages keep their order, so no connection comes after the answer. A connection sent to an exited process would
    // be reset. A process that still runs gives it back.
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
