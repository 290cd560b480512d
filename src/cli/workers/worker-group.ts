import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { parting } from './worker.ts'

/** Longer than even a stuck worker takes to stop by itself. */
const patienceMs = 11_000

/** Delay before an ended worker is replaced. It doubles each time that a worker ends soon. */
const backOffMs = { least: 100, most: 5_000 }

/** A worker that lived this long ended for a reason that its successor is unlikely to meet at once. */
const longLifeMs = 30_000

/** Replacement ends after this many failed starts in a row, if no other worker is left. */
const mostAttempts = 5

/** How a process ended. */
export type End = { readonly code?: number; readonly signal?: string }

/** A worker ended before it was ready. That worker has reported the reason. */
export class NotStarted extends Error {
  override readonly name = 'NotStarted'
  readonly end: End

  constructor(end: End) {
    super('a worker did not start')
    this.end = end
  }
}

type Notices = {
  /** A worker ended by itself. */
  lost(end: End): void
  /** The group has its full number of workers again. */
  back(): void
}

const Ready = z.object({ origin: z.string() })

/** Keeps a fixed number of processes of one kind. They share only the port. */
export class WorkerGroup {
  readonly #count: number
  readonly #port: number
  readonly #notices: Notices
  readonly #ready = new Set<Worker>()
  readonly #all = new Set<Worker>()
  readonly #dismissed = new WeakSet<Worker>()
  readonly #failed = Promise.withResolvers<End>()
  #backOffMs = backOffMs.least
  #reloading: Promise<unknown> = Promise.resolve()
  readonly #stop = new AbortController()

  constructor(count: number, port: number, notices: Notices) {
    this.#count = count
    this.#port = port
    this.#notices = notices
  }

  /** Resolves when no worker is left and no start succeeds. */
  get failed(): Promise<End> {
    return this.#failed.promise
  }

  /**
   * Starts the first worker alone, because it finds and reports faults. Then starts the others.
   * @returns the origin where they listen. @throws NotStarted
   */
  async open(): Promise<string> {
    const origin = await this.#start()
    await Promise.all(Array.from({ length: this.#count - 1 }, () => this.#start()))
    return origin
  }

  /**
   * Replaces each worker by a new one that is ready before the old one must stop.
   * @returns how many were replaced. @throws NotStarted when a new one did not start; the other old ones stay.
   */
  reload(): Promise<number> {
    const replaceAll = async () => {
      let replaced = 0
      for (const worker of [...this.#ready]) {
        if (this.#stop.signal.aborted) break
        // A worker that was lost in the meantime has a successor already.
        if (!this.#ready.has(worker)) continue
        await this.#succeed(worker)
        replaced++
      }
      return replaced
    }
    const reloaded = this.#reloading.then(replaceAll)
    this.#reloading = reloaded.catch(() => undefined)
    return reloaded
  }

  /** Stops all workers and waits for their end. Returns the first exit code that is not 0, or 0. */
  async close(): Promise<number> {
    this.#stop.abort()
    const late = setTimeout(() => this.kill(), patienceMs)
    const codes = await Promise.all([...this.#all].map((worker) => this.#dismiss(worker)))
    clearTimeout(late)
    return codes.find((code) => code !== 0) ?? 0
  }

  /** Kills all workers at once. */
  kill(): void {
    for (const worker of this.#all) worker.process.kill('SIGKILL')
  }

  async #succeed(worker: Worker): Promise<void> {
    // Keeps a worker that ends by itself from getting a second successor.
    this.#dismissed.add(worker)
    try {
      await this.#start()
    } catch (error) {
      this.#dismissed.delete(worker)
      if (!this.#ready.has(worker)) void this.#replace()
      throw error
    }
    await this.#dismiss(worker)
  }

  async #start(): Promise<string> {
    // All workers ask for the same port, so they share it.
    const worker = cluster.fork({ PORT: String(this.#port) })
    this.#all.add(worker)
    const ended = new Promise<End>((resolve) => {
      worker.once('exit', (code: number | null, signal: string | null) => {
        this.#all.delete(worker)
        resolve({ ...(code === null ? {} : { code }), ...(signal ? { signal } : {}) })
      })
      worker.on('error', () => {
        this.#all.delete(worker)
        resolve({})
      })
    })
    const origin = await Promise.race([originOf(worker), ended])
    if (typeof origin !== 'string') throw new NotStarted(origin)
    this.#ready.add(worker)
    const since = performance.now()
    void ended.then((end) => {
      this.#ready.delete(worker)
      if (this.#stop.signal.aborted || this.#dismissed.has(worker)) return
      this.#notices.lost(end)
      if (performance.now() - since > longLifeMs) this.#backOffMs = backOffMs.least
      void this.#replace()
    })
    return origin
  }

  async #replace(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await wait(this.#backOffMs, undefined, { signal: this.#stop.signal }).catch(() => undefined)
      this.#backOffMs = Math.min(backOffMs.most, 2 * this.#backOffMs)
      if (this.#stop.signal.aborted) return
      try {
        await this.#start()
        if (this.#ready.size >= this.#count) this.#notices.back()
        return
      } catch (error) {
        // Any failure may pass, such as too little memory for another process. The remaining workers go on serving.
        const end = error instanceof NotStarted ? error.end : {}
        if (attempt >= mostAttempts && this.#ready.size === 0) return this.#failed.resolve(end)
      }
    }
  }

  /**
   * @returns the exit code of the worker. A worker that has not started yet may die of the signal, which counts as 0.
   */
  async #dismiss(worker: Worker): Promise<number> {
    this.#dismissed.add(worker)
    const { process: child } = worker
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    }
    return child.exitCode ?? (child.signalCode === 'SIGTERM' || child.signalCode === 'SIGINT' ? 0 : 70)
  }
}

async function originOf(worker: Worker): Promise<string> {
  const told = Promise.withResolvers<string>()
  worker.on('message', (message: unknown) => {
    // An error here is harmless: the worker is gone already.
    if (message === parting) return void worker.send(parting, () => undefined)
    const ready = Ready.safeParse(message)
    if (ready.success) told.resolve(ready.data.origin)
  })
  return told.promise
}
