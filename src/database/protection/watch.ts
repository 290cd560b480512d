import type { Logger } from 'pino'
import { record } from '../../events.ts'
import { batch, parse } from '../batch/messages.ts'
import { sqlState } from '../failures/failures.ts'
import type { Cells } from '../statements/statement.ts'
import { differencesOf } from './differences.ts'
import { protectionQueries, readProtection } from './facts.ts'

/**
 * The result of the comparison on a connection: the row of its answer, or the error with which Postgres refused it.
 */
export type Compared = { readonly row: Cells | undefined } | { readonly error: unknown }

/** True when the database refuses the comparison, because a right or a table is missing. Other errors may pass. */
export function refusesComparison(error: unknown): boolean {
  return sqlState(error)?.startsWith('42') ?? false
}

/** Requests the rights and policies on any connection. The result is a row for `readProtection`. */
export const comparison = batch(
  protectionQueries.map((text) => ({ name: '', parse: parse({ name: '', text }), values: [] })),
)

/** While rights or policies differ, a connection is opened at this interval to compare them again. */
export const compareAgainMs = 30_000

/**
 * Remembers the comparison that was made when a connection was last opened, and logs each change of its result.
 * While nothing differs it sends no query by itself.
 */
export class ProtectionWatch {
  readonly #log: Logger
  readonly #againMs: number
  #sentences: readonly string[] = []
  #again: (() => Promise<void>) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(log: Logger, againMs: number = compareAgainMs) {
    this.#log = log
    this.#againMs = againMs
  }

  /** False when the last comparison found a difference, or could not be made. */
  get intact(): boolean {
    return this.#sentences.length === 0
  }

  note(compared: Compared): void {
    const sentences = sentencesOf(compared)
    const changed = sentences.join() !== this.#sentences.join()
    this.#sentences = sentences
    if (changed && sentences.length > 0)
      record(this.#log, 'error', 'protection_differs', { differences: [...sentences] })
    else if (changed) record(this.#log, 'info', 'protection_restored', {})
    this.#plan()
  }

  /**
   * `again` opens a connection, which compares, and closes it. Without `again`, a difference stays until the next
   * connection opens.
   */
  compareBy(again: () => Promise<void>): void {
    this.#again = again
    this.#plan()
  }

  close(): void {
    this.#again = undefined
    clearTimeout(this.#timer)
  }

  #plan(): void {
    clearTimeout(this.#timer)
    const again = this.#again
    if (this.intact || again === undefined) return
    this.#timer = setTimeout(() => {
      // The lanes log a failure to connect. Here it only means that the state is still unknown.
      void again().catch(() => this.#plan())
    }, this.#againMs).unref()
  }
}

function sentencesOf(compared: Compared): string[] {
  if ('error' in compared) return [unreadable(sqlState(compared.error))]
  try {
    return differencesOf(readProtection(compared.row?.[0])).map(({ sentence }) => sentence)
  } catch {
    return [unreadable('not as expected')]
  }
}

const unreadable = (why = 'no code') => `Rights and policies cannot be read (${why}): run npx docket doctor.`
