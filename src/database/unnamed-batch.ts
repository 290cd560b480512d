import { parse, unnamedBatch } from './messages.ts'
import { type BatchLimits, batchLimits, enter, type OwnerCall } from './owner-batch.ts'
import type { AnyStatement } from './statement.ts'

/**
 * Makes owner batches that do not count on names: the same two statements before one Sync, sent as text each time.
 * For poolers that give every transaction another session and do not know which statements that one has seen.
 */
export function unnamedOwnerBatches(limits: Partial<BatchLimits> = {}): (call: OwnerCall) => Buffer {
  const entering = parse({ name: '', text: enter({ ...batchLimits, ...limits }) })
  const parsed = new WeakMap<AnyStatement, Buffer>()
  const parseOf = (statement: AnyStatement) => {
    const known = parsed.get(statement)
    if (known !== undefined) return known
    const bytes = parse({ name: '', text: statement.text })
    parsed.set(statement, bytes)
    return bytes
  }
  return ({ owner, statement, values }) => {
    if (owner === '') throw new Error('A batch needs an owner')
    return unnamedBatch([
      { parse: entering, values: [owner] },
      { parse: parseOf(statement), values },
    ])
  }
}

/** Asks which process of Postgres answers; nobody's rows are read by it. */
export const whichProcess = unnamedBatch([
  { parse: parse({ name: '', text: 'select pg_backend_pid()' }), values: [] },
])
