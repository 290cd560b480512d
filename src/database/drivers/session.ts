import type { PGliteInterface } from '@electric-sql/pglite'
import pg from 'pg'
import type { Column, Session } from '../batch/session.ts'
import { connectsSoon, unreachable } from '../failures/failed-connects.ts'
import { attempt, clock } from '../failures/retry.ts'
import { clientConfig } from './connection-url.ts'
import type { Driver } from './driver.ts'
import { connectedOverWebSocket, loadNeonDriver } from './neon-driver.ts'

type Result = { rows: Record<string, Column>[] }

/** The part of any driver's client that a session needs. */
type Client = { query(text: string): Promise<Result | Result[]>; end(): Promise<void> }

/**
 * Connects, does the work, and disconnects. HTTP has no sessions, so `neon-http` uses a WebSocket here.
 * @throws StartError in one sentence when the database cannot be reached or refuses.
 */
export async function withSession<T>(
  url: string,
  variable: string,
  work: (session: Session) => Promise<T>,
  driver: Driver = 'postgres',
): Promise<T> {
  const client = await connect(url, driver).catch((error: unknown) => {
    throw unreachable(error, variable)
  })
  try {
    return await work({
      run: async (text) => {
        const result = await client.query(text)
        return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? []
      },
    })
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Retries a few times, because the database may just be waking or starting. */
function connect(url: string, driver: Driver): Promise<Client> {
  const once = driver === 'postgres' ? overTcp : overWebSocket
  return attempt(() => once(url), connectsSoon, { most: 3, withinMs: 2_000, ...clock })
}

async function overTcp(url: string): Promise<Client> {
  const client = new pg.Client(clientConfig(url))
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function overWebSocket(url: string): Promise<Client> {
  return connectedOverWebSocket(await loadNeonDriver(), url)
}

export function embeddedSession(database: PGliteInterface): Session {
  return {
    run: async (text) => {
      const results = await database.exec(text)
      return (results.at(-1)?.rows ?? []) as Record<string, Column>[]
    },
  }
}
