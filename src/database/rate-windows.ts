import pg from 'pg'
import { clientConfig } from './drivers/connection-url.ts'
import { Deadline } from './failures/deadline.ts'
import { connectsSoon } from './failures/failed-connects.ts'
import { attempt, clock } from './failures/retry.ts'

/** The table of `0003_rate_windows.sql`, as `rate-limiter-flexible` names it. */
export const rateWindowsTable = { schemaName: 'docket', tableName: 'rate_windows' } as const

/** Counts the requests of an owner in Postgres, on connections of the login role apart from the owners' batches. */
export type RateWindows = {
  query(statement: {
    text: string
    values?: unknown[]
  }): Promise<{ rows: unknown[]; rowCount: number | null }>
  close(): Promise<void>
}

const connections = 2

/** A slower count is given up, and the request is counted in memory. A limit must not delay requests. */
const countMs = 1_000

/** Maximum attempts to count a request. Each connection may have been dropped since its last use. */
const countAttempts = connections + 1

/**
 * The connection of a slow count is given up later. Postgres would not notice, and would run one statement more
 * each time.
 */
const stuckMs = 30_000

/**
 * Two connections that open on first use. Each count is one short statement.
 * A count that finds its connection dropped uses another one. `Pool` is that of the driver for this database.
 */
export function openRateWindows(url: string, Pool: typeof pg.Pool = pg.Pool): RateWindows {
  const pool = new Pool({
    ...clientConfig(url),
    max: connections,
    connectionTimeoutMillis: countMs,
    query_timeout: stuckMs,
  })
  const deadline = new Deadline({ afterMs: countMs, everyMs: countMs / 4 })
  // Without this listener, a dropped idle connection would end the process. The next count shows whether another
  // works.
  pool.on('error', () => undefined)
  return {
    // The statement is sent without its name, which a pooled URL may not know the next time.
    query: ({ text, values }) => {
      // A count whose result was lost may count twice. That harms less than no count at all.
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
