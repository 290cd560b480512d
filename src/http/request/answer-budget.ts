import { AppError } from '../../errors.ts'

/** The share of the free budget that one owner may hold. */
const share = 1 / 8

type Body = string | Uint8Array<ArrayBuffer> | null

/** One request's part of the budget. */
export type Held = {
  /** Before a statement: adds the bytes that its result is expected to add to the response. */
  expect(bytes: number): void
  /** When the response is made. Returns the body to send. A long text becomes bytes, held once and outside the heap. */
  settle(body: Body): Body
  /** When nobody waits for the response. Safe to repeat. */
  release(): void
  /** When the connection is done with the response: as `release`. Its bytes are freed without the garbage collector. */
  free(): void
  readonly bytes: number
}

/** Texts longer than this many characters become bytes. */
const longText = 16_384

/**
 * Bounds the bytes of all responses that this process holds for owners: expected, made, and not yet read.
 *
 * An owner may hold an eighth of the free bytes. So an owner who reads nothing leaves seven eighths to others. With
 * any number of such owners a small response still fits.
 *
 * `expect` and `settle` throw AppError `rate_limited` for an owner with other unread responses, else `unavailable`.
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
    let own: ArrayBuffer | undefined
    const change = (to: number) => {
      if (to > bytes) this.#refuse(owner, to - bytes, bytes)
      this.#add(owner, to - bytes)
      bytes = to
    }
    return {
      expect: (more) => change(bytes + more),
      settle: (body) => {
        if (typeof body !== 'string' || body.length <= longText) {
          change(body?.length ?? 0)
          return body
        }
        const bytes = Buffer.byteLength(body)
        change(bytes)
        // `Buffer.from` may take a part of a buffer that others share.
        const sent = Buffer.allocUnsafeSlow(bytes)
        sent.write(body)
        own = sent.buffer
        return sent
      },
      release: () => change(0),
      free: () => {
        change(0)
        own?.transfer(0)
        own = undefined
      },
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
