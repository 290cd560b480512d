import { AppError } from '../../errors.ts'

/** The share of the free budget that one owner may hold. */
const share = 1 / 8

type Body = string | Uint8Array<ArrayBuffer> | null

/** What one request holds of the budget. */
export type Held = {
  /** Before a statement is sent: by how many bytes its answer is expected to grow the response. */
  expect(bytes: number): void
  /** When the response is made. Returns its body as it is to be sent: a long text as bytes, which are held once and outside the heap. */
  settle(body: Body): Body
  /** When nobody waits for the response. Repeating it changes nothing. */
  release(): void
  /** When the connection is done with the response: as `release`, and its bytes are given back without waiting for the garbage collector. */
  free(): void
  readonly bytes: number
}

/** From so many characters on a text becomes bytes. */
const longText = 16_384

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
