import type { Batch } from '../batch/batch.ts'
import type { Lane } from '../batch/lane.ts'

type Share = { inFlight: number; heavy: number; heavyOn: Lane | undefined }

const none: Readonly<Share> = { inFlight: 0, heavy: 0, heavyOn: undefined }

/**
 * The batches in flight: the load on each connection, in the unit of `Statement.weight`, and the share of each
 * owner.
 * A connection with a load of `full` has no room. A batch of that weight or more fills one by itself.
 */
export class InFlight {
  readonly #full: number
  readonly #loads = new Map<Lane, number>()
  readonly #shares = new Map<string, Share>()

  constructor(full: number) {
    this.#full = full
  }

  isHeavy(batch: Batch): boolean {
    return batch.weight >= this.#full
  }

  loadOn(connection: Lane): number {
    return this.#loads.get(connection) ?? 0
  }

  hasRoom(connection: Lane, batch: Batch): boolean {
    return this.loadOn(connection) + this.#weightOf(batch) <= this.#full
  }

  /** The number of an owner's batches and, while some are heavy, the connection that took the last heavy one. */
  of(owner: string): Readonly<Share> {
    return this.#shares.get(owner) ?? none
  }

  /** Counts a batch in. The returned function counts it out. */
  add(connection: Lane, batch: Batch): () => void {
    const weight = this.#weightOf(batch)
    const heavy = this.isHeavy(batch)
    this.#loads.set(connection, this.loadOn(connection) + weight)
    const share = this.#shares.get(batch.owner) ?? { ...none }
    this.#shares.set(batch.owner, share)
    share.inFlight++
    if (heavy) {
      share.heavy++
      share.heavyOn = connection
    }
    return () => {
      const load = this.loadOn(connection) - weight
      if (load > 0) this.#loads.set(connection, load)
      else this.#loads.delete(connection)
      if (heavy && --share.heavy === 0) share.heavyOn = undefined
      if (--share.inFlight === 0) this.#shares.delete(batch.owner)
    }
  }

  #weightOf(batch: Batch): number {
    return Math.min(batch.weight, this.#full)
  }
}
