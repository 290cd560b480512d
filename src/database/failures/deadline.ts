type Watched = { readonly since: number; readonly giveUp: () => void }

/**
 * Ends every wait after `afterMs`, give or take `everyMs`.
 * One timer serves all waits. Each wait costs an entry in a set, oldest first.
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

  /**
   * Settles as `work` does, or rejects with `late()` when that takes too long. A later result of `work` is ignored.
   */
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

  /** Rejects overdue waits. The timer calls it. */
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
