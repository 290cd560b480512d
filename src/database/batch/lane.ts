import type { Batch, Settle } from './batch.ts'

/** Takes batches: a connection, or a stand-in for several. */
export type Lane = {
  /** Number of batches that were taken and have not settled. */
  readonly inFlight: number
  /** When the oldest batch in flight became the oldest, or when the last batch settled; by `performance.now()`. */
  readonly since: number
  send(batch: Batch, settle: Settle): void
  /** Waits for the batches in flight, then ends. */
  close(): Promise<void>
  /** Ends at once. Batches in flight fail. */
  destroy(): void
  /** Takes no more batches. Batches in flight may still complete. */
  retire(): void
}

/** Opens a lane. `onEnd` is called once, when the lane can take no more batches. */
export type OpenLane = (options: { connectMs: number; onEnd: (lane: Lane) => void }) => Promise<Lane>
