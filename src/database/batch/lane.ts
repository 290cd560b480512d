import type { Batch, Settle } from './batch.ts'

/** Something that takes batches: a connection, or what stands for one. */
export type Lane = {
  /** Batches taken and not settled yet. */
  readonly inFlight: number
  /** When the oldest batch in flight became the oldest, or when the last one was settled; by `performance.now()`. */
  readonly since: number
  send(batch: Batch, settle: Settle): void
  /** Waits for what is in flight, then ends. */
  close(): Promise<void>
  /** Ends at once; what is in flight fails. */
  destroy(): void
  /** Takes no more work; what is in flight may still be answered. */
  retire(): void
}

/** How a lane is opened; `onEnd` is called once, when it can take no more. */
export type OpenLane = (options: { connectMs: number; onEnd: (lane: Lane) => void }) => Promise<Lane>
