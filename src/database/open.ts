import type { PostgresPool } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import { StartError } from '../errors.ts'
import { causeOf, record } from '../events.ts'
import { type Database, openPglite, openPostgres } from './client.ts'
import { clientConfig } from './connection-url.ts'
import type { Driver } from './driver.ts'
import type { Embedded } from './embedded.ts'
import type { LaneLimits } from './lanes.ts'
import { migrate, missingMigrations, readMigrations } from './migrate.ts'
import { loadNeonDriver } from './neon-driver.ts'
import type { BatchLimits } from './owner-batch.ts'
import { createPglitePool } from './pglite-pool.ts'
import { openRateWindows, type RateWindows } from './rate-windows.ts'
import { checkRole, checkVersion } from './roles.ts'
import { embeddedSession, type Session, withSession } from './session.ts'
import type { AnyStatement } from './statement.ts'

/** A database that is migrated, held to its policies, and open. */
export type OpenDatabase = {
  readonly database: Database
  /** Sessions of the login role, for the built-in issuer alone. */
  readonly issuerPool: () => IssuerPool
  /** Where requests are counted for several instances together; the embedded database serves one only. */
  readonly rateWindows?: () => RateWindows
}

type IssuerPool = { readonly pool: PostgresPool; readonly close: () => Promise<void> }

type Common = { statements: readonly AnyStatement[]; log: Logger; limits?: Partial<LaneLimits & BatchLimits> }

/**
 * Opens the embedded database of a folder and migrates it.
 * @throws StartError as `openEmbedded`, `migrate` and `checkRole` do.
 */
export async function openEmbeddedDatabase(
  options: Common & { open: () => Promise<Embedded> },
): Promise<OpenDatabase> {
  const embedded = await options.open()
  try {
    const session = embeddedSession(embedded.pglite)
    await migrate(session)
    await checkRole(session)
    return {
      database: await openPglite(embedded, options.statements, options.limits),
      issuerPool: () => ({ pool: createPglitePool(embedded.pglite), close: () => Promise.resolve() }),
    }
  } catch (error) {
    await embedded.close()
    throw error
  }
}

/** Where a Postgres is, and how it is reached; over TCP unless told. */
export type PostgresUrls = {
  readonly url: string
  readonly migrationUrl: string
  readonly driver?: Driver
}

/**
 * Opens a Postgres. With `migrates` it is brought up to date first; without, in production, a database that is
 * behind stops the start: there somebody decides when to migrate.
 *
 * @throws StartError when it cannot be reached, is too old, is behind, or would not isolate.
 */
export async function openPostgresDatabase(
  options: Common & PostgresUrls & { migrates: boolean },
): Promise<OpenDatabase> {
  const { url, statements, log, limits = {}, driver = 'postgres' } = options
  if (options.migrates) await migratePostgres(options)
  const look = async (session: Session) => {
    await checkVersion(session)
    await refuseBehind(session)
    await checkRole(session)
  }
  await withSession(url, 'DATABASE_URL', look, driver)
  const database = await openPostgres({ url, driver, statements, log, limits })
  const Pool = driver === 'postgres' ? pg.Pool : (await loadNeonDriver()).Pool
  return {
    database,
    issuerPool: () => {
      const pool = new Pool({ ...clientConfig(url), max: 2 })
      // A dropped idle connection would otherwise end the process.
      pool.on('error', (error: unknown) =>
        record(log, 'warn', 'issuer_connection_lost', { cause: causeOf(error) }),
      )
      return { pool, close: () => pool.end() }
    },
    rateWindows: () => openRateWindows(url, Pool as typeof pg.Pool),
  }
}

/** @returns the names of the migrations applied now. */
export async function migratePostgres({ url, migrationUrl, driver }: PostgresUrls): Promise<string[]> {
  const variable = migrationUrl === url ? 'DATABASE_URL' : 'DATABASE_MIGRATION_URL'
  const work = async (session: Session) => {
    await checkVersion(session)
    return migrate(session, loginRoleOf(url))
  }
  return withSession(migrationUrl, variable, work, driver)
}

export async function refuseBehind(session: Session): Promise<void> {
  const missing = await missingMigrations(session, await readMigrations())
  if (missing.length > 0)
    throw new StartError(
      `The database lacks ${missing.map(({ name }) => name).join(', ')}: run npx docket migrate.`,
      78,
    )
}

function loginRoleOf(url: string): string | undefined {
  const { username } = new URL(url)
  return username === '' ? undefined : decodeURIComponent(username)
}
