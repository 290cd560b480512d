import type { PGliteInterface } from '@electric-sql/pglite'
import pg from 'pg'
import { attempt, clock } from './attempts.ts'
import { connectsSoon } from './connecting.ts'
import { clientConfig } from './connection-url.ts'
import { unreachable } from './unreachable.ts'

type Column = string | number | boolean | null

/**
 * A plain session of the login role, for migrations and for looking at the database at start-up. Rows of owners
 * are not read or written through it.
 */
export type Session = {
  /** Runs SQL text, one statement or several, and returns the rows of the last one. */
  run(text: string): Promise<Record<string, Column>[]>
}

/**
 * Connects, does the work, and disconnects.
 * @throws StartError in one sentence when the database cannot be reached or refuses.
 */
export async function withSession<T>(
  url: string,
  variable: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const client = await connect(url).catch((error: unknown) => {
    throw unreachable(error, variable)
  })
  try {
    return await work({
      run: async (text) => {
        const result: pg.QueryResult | pg.QueryResult[] = await client.query(text)
        return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? []
      },
    })
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** A database that is only just waking or starting is asked again, a few times. */
function connect(url: string): Promise<pg.Client> {
  const once = async () => {
    const client = new pg.Client(clientConfig(url))
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  return attempt(once, connectsSoon, { most: 3, withinMs: 2_000, ...clock })
}

export function embeddedSession(database: PGliteInterface): Session {
  return {
    run: async (text) => {
      const results = await database.exec(text)
      return (results.at(-1)?.rows ?? []) as Record<string, Column>[]
    },
  }
}
