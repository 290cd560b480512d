import { AppError } from '../errors.ts'

/** The share of the free budget that one owner may hold. */
const share = 1 / 8

/** What one request holds of the budget, in bytes. */
export type Held = {
  /** Before a statement is sent: by how much its answer is expected to grow the response. */
  expect(bytes: number): void
  /** When the response is made: how long it is. */
  settle(bytes: number): void
  /** When the response has left, or nobody waits for it. Repeating it changes nothing. */
  release(): void
  readonly bytes: number
}

/**
 * The bytes of all responses that this process holds for owners: expected, made, and not yet read.
 *
 * An owner may hold an eighth of what is free. So one who reads nothing leaves seven eighths to others, and with
 * any number of such owners a small response still fits.
 *
 * `expect` and `settle` throw AppError `rate_limited` to an owner who already holds something, else `unavailable`.
 */
export class AnswerBudget {
  readonly #total: number
  readonly #byOwner = new Map<string, number>()
  #held = 0

  constructor(totalBytes: number) {
    this.#total = totalBytes
  }

  /** Bytes held for all owners. */
  get held(): number {
    return this.#held
  }

  hold(owner: string): Held {
    let bytes = 0
    const change = (to: number) => {
      if (to > bytes) this.#refuse(owner, to - bytes, bytes)
      this.#add(owner, to - bytes)
      bytes = to
    }
    return {
      expect: (more) => change(bytes + more),
      settle: change,
      release: () => change(0),
      get bytes() {
        return bytes
      },
    }
  }

  #refuse(owner: string, more: number, ofThis: number): void {
    const held = this.#byOwner.get(owner) ?? 0
    const free = this.#total - this.#held
    if (held + more <= (free + held) * share) return
    if (held > ofThis)
      throw new AppError(
        'rate_limited',
        'Read the responses to your earlier requests before you send more.',
        {
          retryAfterSeconds: 1,
          reason: 'unread_answers',
        },
      )
    throw new AppError('unavailable', 'The server holds too many unread responses. Retry later.', {
      retryAfterSeconds: 1,
      reason: 'answer_budget',
    })
  }

  #add(owner: string, bytes: number): void {
    this.#held += bytes
    const held = (this.#byOwner.get(owner) ?? 0) + bytes
    if (held === 0) this.#byOwner.delete(owner)
    else this.#byOwner.set(owner, held)
  }
}
