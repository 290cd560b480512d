import pg from 'pg'
import type { Logger } from 'pino'
import { causeOf, record } from '../events.ts'
import { clientConfig } from './connection-url.ts'

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

/**
 * Two connections that open when first used: each count is one short statement. `Pool` is that of the driver by which
 * the database is reached.
 */
export function openRateWindows(url: string, log: Logger, Pool: typeof pg.Pool = pg.Pool): RateWindows {
  const pool = new Pool({
    ...clientConfig(url),
    max: 2,
    connectionTimeoutMillis: countMs,
    query_timeout: countMs,
  })
  // A dropped idle connection would otherwise end the process.
  pool.on('error', (error: unknown) => record(log, 'warn', 'rate_store_lost', { cause: causeOf(error) }))
  return {
    // Without the name, which a pooled URL need not know the next time.
    query: ({ text, values }) => pool.query(text, values),
    close: () => pool.end(),
  }
}
