import type { OwnerCall } from './owner-batch.ts'
import type { Row } from './statement.ts'

/** What a weight of one answers as a rule, at the most; characters of JSON. */
const usual = 15_000

/** How much of what is remembered an answer of usual length leaves of it. */
const fading = 0.9

const mostOwners = 10_000

/**
 * Remembers of whom the answers are longer than their statements' weight says, and weighs what they ask for next by that.
 * The weight of a list counts tasks, and a task may be short or, with a description of 10,000 characters, a hundred times
 * as long: what is on its way for a millisecond must not share a connection with what takes fifty.
 */
export class LongAnswers {
  readonly #times = new Map<string, number>()

  /** The call, with the weight that it has for this owner. */
  weigh(call: OwnerCall): OwnerCall {
    const times = this.#times.get(call.owner)
    return times === undefined || call.weight === Infinity
      ? call
      : { ...call, weight: Math.ceil(call.weight * times) }
  }

  /** Learns from the answer to a call that was not weighed yet; forgets step by step what is not so any more. */
  note({ owner, statement, weight }: OwnerCall, row: Row): void {
    const known = this.#times.get(owner)
    const length = row?.[0]?.length ?? 0
    if (statement.kind !== 'read' || (known === undefined && length <= usual)) return
    const times = Math.max(length / (usual * weight), (known ?? 0) * fading)
    this.#times.delete(owner)
    if (times <= 1) return
    this.#times.set(owner, times)
    if (this.#times.size <= mostOwners) return
    for (const oldest of this.#times.keys()) {
      this.#times.delete(oldest)
      break
    }
  }
}
