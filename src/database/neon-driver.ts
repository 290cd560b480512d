import type { Client } from '@neondatabase/serverless'
import { connectTimeoutMs } from './connection-url.ts'

/** Neon's own driver; loaded only where it was chosen. */
export type NeonDriver = typeof import('@neondatabase/serverless')

export async function loadNeonDriver(): Promise<NeonDriver> {
  return import('@neondatabase/serverless')
}

/** Logs in through a WebSocket. @throws what the driver or Postgres reports, or an error after the time-out. */
export async function connectedOverWebSocket(
  driver: Pick<NeonDriver, 'Client'>,
  url: string,
): Promise<Client> {
  const client = new driver.Client({ connectionString: url, application_name: 'docket' })
  client.on('error', () => undefined)
  const overdue = Promise.withResolvers<never>()
  const timer = setTimeout(() => overdue.reject(new Error('Connection timeout')), connectTimeoutMs)
  try {
    await Promise.race([client.connect(), overdue.promise])
    return client
  } catch (error) {
    client.connection.stream.destroy()
    throw asError(error)
  } finally {
    clearTimeout(timer)
  }
}

/** What a WebSocket fails with is an event, which says nothing. */
export function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error('The WebSocket could not be opened, or was cut')
}
