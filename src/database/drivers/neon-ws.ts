import { once } from 'node:events'
import { BatchQuery } from '../batch/batch.ts'
import { asError, farewell, type NeonDriver } from './neon-driver.ts'
import type { Carrier } from './tcp.ts'

/**
 * Postgres' protocol through a WebSocket to Neon's proxy. One batch is in flight at a time.
 * The driver sends the next batch after the previous one is answered.
 */
export function webSocketCarrier({ Client }: Pick<NeonDriver, 'Client'>, url: string): Carrier {
  const client = new Client({ connectionString: url, application_name: 'docket' })
  const { end, destroy } = farewell(client)
  const sent = new Set<BatchQuery>()
  const givenUp = Promise.withResolvers<never>()
  givenUp.promise.catch(() => undefined)
  return {
    connect: async () => {
      try {
        await Promise.race([client.connect(), givenUp.promise])
      } catch (error) {
        throw asError(error)
      }
      // The driver waits for a timer to join the messages of the login. A batch is already one message.
      client.neonConfig.coalesceWrites = false
    },
    processId: () => ('processID' in client ? Number(client.processID) : undefined),
    carry: (bytes, settle) => {
      const batch = new BatchQuery(bytes, (error, results) => {
        sent.delete(batch)
        settle(error, results)
      })
      sent.add(batch)
      client.query(batch)
    },
    onEnd: (listener) => {
      client.on('error', listener)
      client.on('end', listener)
    },
    close: async () => {
      // The driver's `end` cuts unanswered batches.
      if (sent.size > 0) await Promise.race([once(client, 'drain'), givenUp.promise]).catch(() => undefined)
      await end()
    },
    destroy: () => {
      // The driver's close waits for the other side to agree, which may never answer again.
      const reason = new Error('The WebSocket was given up')
      givenUp.reject(reason)
      for (const batch of sent) batch.handleError(reason)
      destroy()
    },
  }
}
