import pg from 'pg'
import { BatchQuery, type Settle } from '../batch/batch.ts'

/** Carries bytes to Postgres and results back. It is a driver's client, reduced to the needs of `Connection`. */
export type Carrier = {
  /** Opens and logs in. @throws the error of the driver. */
  connect(): Promise<void>
  /** The process that the server named at login. A pooler invents one. */
  processId(): number | undefined
  /** Sends bytes that end in one Sync; `settle` is called exactly once, in the order of the calls. */
  carry(bytes: Buffer, settle: Settle): void
  /** Calls the listener, once or more often, when the carrier can take no more. */
  onEnd(listener: () => void): void
  /** Waits for the batches sent, then disconnects properly. */
  close(): Promise<void>
  /** Ends at once. Batches that were sent and not answered fail. */
  destroy(): void
}

/** Members that `@types/pg` does not declare. */
type Inside = {
  readonly processID?: number | null
  readonly connection: { readonly stream: { destroy(): void } }
}

/** `pg` over TCP in its pipeline mode: a batch does not wait for the result of the previous one. */
export function tcpCarrier(config: pg.ClientConfig): Carrier {
  const client = new pg.Client({ ...config, pipeline: true })
  const inside = () => client as unknown as Inside
  return {
    connect: async () => void (await client.connect()),
    processId: () => inside().processID ?? undefined,
    carry: (bytes, settle) => void client.query(new BatchQuery(bytes, settle)),
    onEnd: (listener) => {
      // Without this listener, a dropped idle connection would end the process.
      client.on('error', listener)
      client.on('end', listener)
    },
    close: () => client.end().catch(() => undefined),
    // `end` would wait for results that never come.
    destroy: () => inside().connection.stream.destroy(),
  }
}
