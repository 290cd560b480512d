import type { Batch, Results } from './batch.ts'

/** Runs each batch as a transaction of its own. */
export type Engine = {
  run(batch: Batch): Promise<Results>
  /** The last known state. It sends no query. */
  reachable(): boolean
  /** Whether rights and policies matched the migrations when a connection was last opened. It sends no query. */
  isolated(): boolean
  /** Number of batches that wait for a connection. An engine without a queue has none. */
  waiting?(): number
  close(): Promise<void>
}
