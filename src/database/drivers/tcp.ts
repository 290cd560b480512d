import pg from 'pg'
import { BatchQuery, type Settle } from '../batch/batch.ts'

/** What brings bytes to Postgres and its answers back: a driver's client, with what `Connection` needs of it. */
export type Carrier = {
  /** Opens and logs in. @throws what the driver reports. */
  connect(): Promise<void>
  /** The process that the server named at the login; a pooler makes one up. */
  processId(): number | undefined
  /** Sends bytes that end in one Sync; `settle` is called exactly once, in the order of the calls. */
  carry(bytes: Buffer, settle: Settle): void
  /** Says, once or more often, that it can take no more. */
  onEnd(listener: () => void): void
  /** Waits for what was sent, then says goodbye. */
  close(): Promise<void>
  /** Ends at once; what was sent and not answered fails. */
  destroy(): void
}

/** What `@types/pg` does not declare. */
type Inside = {
  readonly processID?: number | null
  readonly connection: { readonly stream: { destroy(): void } }
}

/** `pg` over TCP in its pipeline mode: what comes next does not wait for the answer to what came before. */
export function tcpCarrier(config: pg.ClientConfig): Carrier {
  const client = new pg.Client({ ...config, pipeline: true })
  const inside = () => client as unknown as Inside
  return {
    connect: async () => void (await client.connect()),
    processId: () => inside().processID ?? undefined,
    carry: (bytes, settle) => void client.query(new BatchQuery(bytes, settle)),
    onEnd: (listener) => {
      // Without it a dropped idle connection would end the process.
      client.on('error', listener)
      client.on('end', listener)
    },
    close: () => client.end().catch(() => undefined),
    // `end` would wait for the answers that are not coming.
    destroy: () => inside().connection.stream.destroy(),
  }
}
