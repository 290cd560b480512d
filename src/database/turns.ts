/**
 * A bounded queue in which owners take turns: whoever asks most waits behind one job of everybody else, never
 * in front of them. Nobody may fill it alone.
 */
export class Turns<Job extends { readonly owner: string; readonly queuedAt: number }> {
  readonly #byOwner = new Map<string, Job[]>()
  readonly #most: number
  readonly #mostOfOne: number
  readonly #atOnce: number
  size = 0
  /** How many of them would be taken if there were room for all, when so many of one owner are taken at once. */
  ready = 0

  constructor(most: number, mostOfOne = most, atOnce = mostOfOne) {
    this.#most = most
    this.#mostOfOne = mostOfOne
    this.#atOnce = atOnce
  }

  /** Returns false, and keeps nothing, when the queue is full, or the owner has a full share of it. */
  add(job: Job): boolean {
    const jobs = this.#byOwner.get(job.owner)
    if (this.size >= this.#most || (jobs?.length ?? 0) >= this.#mostOfOne) return false
    this.size++
    if ((jobs?.length ?? 0) < this.#atOnce) this.ready++
    if (jobs === undefined) this.#byOwner.set(job.owner, [job])
    else jobs.push(job)
    return true
  }

  /** The next job of the first owner in turn who is ready; that owner then goes to the end. */
  take(ready: (owner: string) => boolean = () => true): Job | undefined {
    for (const [owner, jobs] of this.#byOwner) {
      if (!ready(owner)) continue
      const job = jobs.shift()
      this.#byOwner.delete(owner)
      if (jobs.length > 0) this.#byOwner.set(owner, jobs)
      if (job === undefined) return undefined
      this.size--
      if (jobs.length < this.#atOnce) this.ready--
      return job
    }
    return undefined
  }

  /** Removes and returns every job queued before the instant given. */
  takeOlderThan(instant: number): Job[] {
    const old: Job[] = []
    for (const [owner, jobs] of this.#byOwner) {
      while (jobs[0] !== undefined && jobs[0].queuedAt < instant) {
        old.push(...jobs.splice(0, 1))
        if (jobs.length < this.#atOnce) this.ready--
      }
      if (jobs.length === 0) this.#byOwner.delete(owner)
    }
    this.size -= old.length
    return old
  }
}
