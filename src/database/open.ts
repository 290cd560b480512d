import type { PostgresPool } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import { StartError } from '../errors.ts'
import { causeOf, record } from '../events.ts'
import type { BatchLimits } from './batch/batch.ts'
import type { Session } from './batch/session.ts'
import { type Database, openPglite, openPostgres } from './database.ts'
import { clientConfig } from './drivers/connection-url.ts'
import type { Driver } from './drivers/driver.ts'
import { loadNeonDriver } from './drivers/neon-driver.ts'
import { embeddedSession, withSession } from './drivers/session.ts'
import type { Embedded } from './embedded/embedded.ts'
import { createPglitePool } from './embedded/pglite-pool.ts'
import type { LaneLimits } from './lanes/lanes.ts'
import { refuseDifferences } from './protection/check.ts'
import { openRateWindows, type RateWindows } from './rate-windows.ts'
import { type Migrated, migrate, missingMigrations, readMigrations } from './setup/migrate.ts'
import { checkRole, checkVersion } from './setup/roles.ts'
import type { AnyStatement } from './statements/statement.ts'

/** A database that is migrated, protected by its policies, and open. */
export type OpenDatabase = {
  readonly database: Database
  /** Sessions of the login role, only for the built-in issuer. */
  readonly issuerPool: () => IssuerPool
  /** Counts requests for several instances together. The embedded database serves one instance and has none. */
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
    await refuseDifferences(session, { tolerant: true })
    return {
      database: await openPglite(embedded, options),
      issuerPool: () => ({ pool: createPglitePool(embedded.pglite), close: () => Promise.resolve() }),
    }
  } catch (error) {
    await embedded.close()
    throw error
  }
}

/** The URLs of a Postgres and the way to it; TCP by default. */
export type PostgresUrls = {
  readonly url: string
  readonly migrationUrl: string
  readonly driver?: Driver
}

/**
 * Opens a Postgres. With `migrates` it is migrated first. Without it, a missing migration stops the start, because
 * in production somebody decides when to migrate.
 *
 * @throws StartError when the database cannot be reached, is too old, lacks a migration or would not isolate.
 *   Without `migrates`, also when rights or policies differ from those that the migrations made.
 */
export async function openPostgresDatabase(
  options: Common & PostgresUrls & { migrates: boolean },
): Promise<OpenDatabase> {
  const { url, statements, log, limits = {}, driver = 'postgres' } = options
  if (options.migrates) {
    const { applied, restored } = await migratePostgres(options)
    if (applied.length > 0 || restored.length > 0) record(log, 'info', 'migrated', { applied, restored })
  }
  const look = async (session: Session) => {
    await checkVersion(session)
    await refuseBehind(session)
    await checkRole(session)
    await refuseDifferences(session, { tolerant: options.migrates })
  }
  await withSession(url, 'DATABASE_URL', look, driver)
  const database = await openPostgres({ url, driver, statements, log, limits })
  const Pool = driver === 'postgres' ? pg.Pool : (await loadNeonDriver()).Pool
  return {
    database,
    issuerPool: () => {
      const pool = new Pool({ ...clientConfig(url), max: 2 })
      // Without this listener, a dropped idle connection would end the process.
      pool.on('error', (error: unknown) =>
        record(log, 'warn', 'issuer_connection_lost', { cause: causeOf(error) }),
      )
      return { pool, close: () => pool.end() }
    },
    rateWindows: () => openRateWindows(url, Pool as typeof pg.Pool),
  }
}

/** Migrates by the migration URL, and lets the login of `url` serve. @throws StartError as `migrate` does. */
export async function migratePostgres(urls: PostgresUrls): Promise<Migrated> {
  const { url, migrationUrl, driver } = urls
  const variable = migrationUrl === url ? 'DATABASE_URL' : 'DATABASE_MIGRATION_URL'
  if (migrationUrl !== url) await refuseOtherDatabase(urls).catch(unlessOutOfReach)
  const work = async (session: Session) => {
    await checkVersion(session)
    return migrate(session, loginRoleOf(url))
  }
  return withSession(migrationUrl, variable, work, driver)
}

/** A login that cannot connect yet, or not from here, does not prevent the migration by the other URL. */
function unlessOutOfReach(error: unknown): void {
  if (!(error instanceof StartError) || error.exitCode !== 69) throw error
}

/** Checks that both URLs lead to the same database, by any login and pooler. @throws StartError */
export async function refuseOtherDatabase({ url, migrationUrl, driver }: PostgresUrls): Promise<void> {
  const which = async ({ run }: Session) =>
    JSON.stringify(await run('select current_database(), pg_postmaster_start_time()'))
  const there = await withSession(migrationUrl, 'DATABASE_MIGRATION_URL', which, driver)
  const here = await withSession(url, 'DATABASE_URL', which, driver)
  if (here !== there)
    throw new StartError(
      'DATABASE_MIGRATION_URL names another database than DATABASE_URL: copy both again.',
      78,
    )
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
