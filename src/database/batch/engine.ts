import type { Batch, Results } from './batch.ts'

/** Something that runs a batch as a transaction of its own. */
export type Engine = {
  run(batch: Batch): Promise<Results>
  /** The last known state; asks nobody. */
  reachable(): boolean
  /** Whether rights and policies were those that the migrations made, when a connection was last opened; asks nobody. */
  isolated(): boolean
  /** How many batches wait for a connection; an engine without a queue has none. */
  waiting?(): number
  close(): Promise<void>
}
