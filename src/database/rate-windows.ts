import pg from 'pg'
import { clientConfig } from './connection-url.ts'
import { Deadline } from './deadline.ts'

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

/** A count that takes longer is given up, and the request counted in memory: a limit is no reason to wait. */
const countMs = 1_000

/** Its connection is given up later: Postgres does not notice, and would go on with one statement more each time. */
const stuckMs = 30_000

/**
 * Two connections that open when first used: each count is one short statement. `Pool` is that of the driver by which
 * the database is reached.
 */
export function openRateWindows(url: string, Pool: typeof pg.Pool = pg.Pool): RateWindows {
  const pool = new Pool({
    ...clientConfig(url),
    max: 2,
    connectionTimeoutMillis: countMs,
    query_timeout: stuckMs,
  })
  const deadline = new Deadline({ afterMs: countMs, everyMs: countMs / 4 })
  // A dropped idle connection would otherwise end the process; the next count says whether there is another.
  pool.on('error', () => undefined)
  return {
    // Without the name, which a pooled URL need not know the next time.
    query: ({ text, values }) =>
      deadline.watch(pool.query(text, values), () => new Error('Counting took too long')),
    close: async () => {
      deadline.close()
      await pool.end()
    },
  }
}
