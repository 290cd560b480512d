import pg from 'pg'
import { clientConfig } from './drivers/connection-url.ts'
import { Deadline } from './failures/deadline.ts'
import { connectsSoon } from './failures/failed-connects.ts'
import { attempt, clock } from './failures/retry.ts'

/** The table of `0003_rate_windows.sql`, in the words of `rate-limiter-flexible`. */
export const rateWindowsTable = { schemaName: 'docket', tableName: 'rate_windows' } as const

/** What counts the requests of an owner in Postgres, on connections of the login role apart from the owners' batches. */
export type RateWindows = {
  query(statement: {
    text: string
    values?: unknown[]
  }): Promise<{ rows: unknown[]; rowCount: number | null }>
  close(): Promise<void>
}

const connections = 2

/** A count that takes longer is given up, and the request counted in memory: a limit is no reason to wait. */
const countMs = 1_000

/** How often a request is counted at the most: each of the connections may have been dropped since it was used. */
const countAttempts = connections + 1

/** Its connection is given up later: Postgres does not notice, and would go on with one statement more each time. */
const stuckMs = 30_000

/**
 * Two connections that open when first used: each count is one short statement. One that finds its connection dropped
 * goes over another. `Pool` is that of the driver by which the database is reached.
 */
export function openRateWindows(url: string, Pool: typeof pg.Pool = pg.Pool): RateWindows {
  const pool = new Pool({
    ...clientConfig(url),
    max: connections,
    connectionTimeoutMillis: countMs,
    query_timeout: stuckMs,
  })
  const deadline = new Deadline({ afterMs: countMs, everyMs: countMs / 4 })
  // A dropped idle connection would otherwise end the process; the next count says whether there is another.
  pool.on('error', () => undefined)
  return {
    // Without the name, which a pooled URL need not know the next time.
    query: ({ text, values }) => {
      // When it was counted and only the answer was lost it counts twice, which harms less than not at all.
      const limits = { most: countAttempts, withinMs: countMs, ...clock }
      const counted = attempt(() => pool.query(text, values), connectsSoon, limits)
      return deadline.watch(counted, () => new Error('Counting took too long'))
    },
    close: async () => {
      deadline.close()
      await pool.end()
    },
  }
}
