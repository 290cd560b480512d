import type { ServerResponse } from 'node:http'
import { AppError } from '../errors.ts'

/** From so many characters on an answer is worth counting: smaller ones fit into the buffers of a connection. */
export const largeAnswer = 65_536

/** So many large answers may wait for one owner to read them. */
const mostUnread = 4

/**
 * Counts the large answers that an owner has asked for and not read yet. They wait in memory, up to 30 MB each, for as
 * long as the reader likes; whoever has several gets no more of anything until one was read.
 */
export class UnreadAnswers {
  readonly #byOwner = new Map<string, number>()

  /** @throws AppError `rate_limited` */
  refuse(owner: string): void {
    if ((this.#byOwner.get(owner) ?? 0) < mostUnread) return
    throw new AppError('rate_limited', 'Read the answers you have asked for before you ask for more.', {
      retryAfterSeconds: 1,
      reason: 'unread_answers',
    })
  }

  /** From now on until the answer has left, or its connection has ended. */
  note(owner: string, answer: ServerResponse): void {
    // Whoever hung up before it was made is not told of the end again.
    if (answer.closed || answer.destroyed) return
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + 1)
    answer.once('close', () => {
      const left = (this.#byOwner.get(owner) ?? 0) - 1
      if (left > 0) this.#byOwner.set(owner, left)
      else this.#byOwner.delete(owner)
    })
  }
}
