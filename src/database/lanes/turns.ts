/**
 * A bounded queue in which owners take turns. The owner with the most entries waits behind one entry of every other
 * owner, never in front of them.
 * No owner may fill the queue alone.
 */
export class Turns<Queued extends { readonly owner: string; readonly queuedAt: number }> {
  readonly #byOwner = new Map<string, Queued[]>()
  readonly #most: number
  readonly #mostOfOne: number
  readonly #atOnce: number
  size = 0
  /** Number of entries that could be taken if there were room for all, with at most `atOnce` per owner. */
  ready = 0

  constructor(most: number, mostOfOne = most, atOnce = mostOfOne) {
    this.#most = most
    this.#mostOfOne = mostOfOne
    this.#atOnce = atOnce
  }

  /** Returns false and keeps nothing when the queue or the owner's share of it is full. */
  add(queued: Queued): boolean {
    const batches = this.#byOwner.get(queued.owner)
    if (this.size >= this.#most || (batches?.length ?? 0) >= this.#mostOfOne) return false
    this.size++
    if ((batches?.length ?? 0) < this.#atOnce) this.ready++
    if (batches === undefined) this.#byOwner.set(queued.owner, [queued])
    else batches.push(queued)
    return true
  }

  /** Takes the next entry of the first owner in turn who is ready. That owner moves to the end. */
  take(ready: (owner: string) => boolean = () => true): Queued | undefined {
    for (const [owner, batches] of this.#byOwner) {
      if (!ready(owner)) continue
      const queued = batches.shift()
      this.#byOwner.delete(owner)
      if (batches.length > 0) this.#byOwner.set(owner, batches)
      if (queued === undefined) return undefined
      this.size--
      if (batches.length < this.#atOnce) this.ready--
      return queued
    }
    return undefined
  }

  /** Removes and returns every entry that was queued before the given instant. */
  takeOlderThan(instant: number): Queued[] {
    const old: Queued[] = []
    for (const [owner, batches] of this.#byOwner) {
      while (batches[0] !== undefined && batches[0].queuedAt < instant) {
        old.push(...batches.splice(0, 1))
        if (batches.length < this.#atOnce) this.ready--
      }
      if (batches.length === 0) this.#byOwner.delete(owner)
    }
    this.size -= old.length
    return old
  }
}
