import type { Client } from '@neondatabase/serverless'
import { connectTimeoutMs } from './connection-url.ts'

/** Neon's own driver. It is loaded only where it was chosen. */
export type NeonDriver = typeof import('@neondatabase/serverless')

export async function loadNeonDriver(): Promise<NeonDriver> {
  return import('@neondatabase/serverless')
}

/** Closes a client. Its own `end` never resolves once the WebSocket is gone. */
export function farewell(client: Client): { end(): Promise<void>; destroy(): void } {
  const gone = Promise.withResolvers<void>()
  client.on('end', gone.resolve)
  return {
    end: () => Promise.race([client.end().catch(() => undefined), gone.promise]),
    destroy: () => {
      gone.resolve()
      client.connection.stream.destroy()
    },
  }
}

/** Logs in through a WebSocket. @throws the error of the driver or Postgres, or an error after the time-out. */
export async function connectedOverWebSocket(
  driver: Pick<NeonDriver, 'Client'>,
  url: string,
): Promise<Pick<Client, 'query'> & { end(): Promise<void> }> {
  const client = new driver.Client({ connectionString: url, application_name: 'docket' })
  client.on('error', () => undefined)
  const { end, destroy } = farewell(client)
  const overdue = Promise.withResolvers<never>()
  const timer = setTimeout(() => overdue.reject(new Error('Connection timeout')), connectTimeoutMs)
  try {
    await Promise.race([client.connect(), overdue.promise])
    return { query: client.query.bind(client), end }
  } catch (error) {
    destroy()
    throw asError(error)
  } finally {
    clearTimeout(timer)
  }
}

/** A failed WebSocket reports an event, which has no message. */
export function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error('The WebSocket could not be opened, or was cut')
}
