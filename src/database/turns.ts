/**
 * A bounded queue in which owners take turns: whoever asks most waits behind one job of everybody else, never
 * in front of them.
 */
export class Turns<Job extends { readonly owner: string; readonly queuedAt: number }> {
  readonly #byOwner = new Map<string, Job[]>()
  readonly #most: number
  size = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Returns false, and keeps nothing, when the queue is full. */
  add(job: Job): boolean {
    if (this.size >= this.#most) return false
    this.size++
    const jobs = this.#byOwner.get(job.owner)
    if (jobs === undefined) this.#byOwner.set(job.owner, [job])
    else jobs.push(job)
    return true
  }

  /** The next job of the owner whose turn it is; that owner then goes to the end. */
  take(): Job | undefined {
    for (const [owner, jobs] of this.#byOwner) {
      const job = jobs.shift()
      this.#byOwner.delete(owner)
      if (jobs.length > 0) this.#byOwner.set(owner, jobs)
      if (job !== undefined) this.size--
      return job
    }
    return undefined
  }

  /** Removes and returns every job queued before the instant given. */
  takeOlderThan(instant: number): Job[] {
    const old: Job[] = []
    for (const [owner, jobs] of this.#byOwner) {
      while (jobs[0] !== undefined && jobs[0].queuedAt < instant) old.push(...jobs.splice(0, 1))
      if (jobs.length === 0) this.#byOwner.delete(owner)
    }
    this.size -= old.length
    return old
  }
}
