type Watched = { readonly since: number; readonly giveUp: () => void }

/**
 * Lets nobody wait longer than `afterMs`, give or take `everyMs`. One timer for all: what is watched costs an entry in
 * a set, and the oldest stands first.
 */
export class Deadline {
  readonly #watched = new Set<Watched>()
  readonly #afterMs: number
  readonly #now: () => number
  readonly #sweep: NodeJS.Timeout

  constructor(options: { afterMs: number; everyMs: number; now?: () => number }) {
    this.#afterMs = options.afterMs
    this.#now = options.now ?? (() => performance.now())
    this.#sweep = setInterval(() => this.sweep(), options.everyMs).unref()
  }

  /** Answers as `work` does, or fails with `late()` when that takes too long; what `work` then comes to is not heard. */
  watch<T>(work: Promise<T>, late: () => Error): Promise<T> {
    return new Promise((resolve, reject) => {
      const watched = { since: this.#now(), giveUp: () => reject(late()) }
      this.#watched.add(watched)
      work.then(
        (value) => {
          this.#watched.delete(watched)
          resolve(value)
        },
        (error: unknown) => {
          this.#watched.delete(watched)
          reject(error)
        },
      )
    })
  }

  /** Gives up what is late; called by the timer. */
  sweep(): void {
    const oldest = this.#now() - this.#afterMs
    for (const watched of this.#watched) {
      if (watched.since > oldest) return
      this.#watched.delete(watched)
      watched.giveUp()
    }
  }

  close(): void {
    clearInterval(this.#sweep)
  }
}
