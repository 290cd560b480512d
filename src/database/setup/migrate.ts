import { createHash } from 'node:crypto'
import { StartError } from '../../errors.ts'
import type { Session } from '../batch/session.ts'
import { type Repaired, restoreProtection, restoreRole } from '../protection/repair.ts'
import { migrationFiles } from './migration-files.ts'
import { grantAppRole } from './roles.ts'

export type Migration = {
  readonly version: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

/** Held while migrating, so that instances that start together migrate once. Any fixed number works. */
const advisoryLock = 4_036_255_374

/** The numbered SQL files, in order. Migrations only go forward, and an applied file never changes. */
export async function readMigrations(): Promise<Migration[]> {
  const files = await migrationFiles()
  return files.map(({ name, sql }) => ({
    version: Number(name.slice(0, 4)),
    name,
    sql,
    checksum: createHash('sha256').update(sql).digest('hex'),
  }))
}

/** The names of the migrations applied now, and the repairs of rights and policies. */
export type Migrated = Repaired & { readonly applied: string[] }

/**
 * Applies the missing migrations, all or none, in one transaction under an advisory lock. The lock belongs to the
 * transaction, so it also works behind a pooler.
 * The same transaction lets `loginRole` become the unprivileged role, and restores rights and policies.
 *
 * @throws StartError when the database is newer than this program, a migration was changed after it was applied, or
 *   the login role lacks a right.
 */
export async function migrate(session: Session, loginRole?: string): Promise<Migrated> {
  try {
    await session.run('begin')
    await session.run("set local lock_timeout = '30s'")
    await session.run(`select pg_advisory_xact_lock(${advisoryLock})`)
    const { applied, restored } = await applyMissing(session)
    await grantAppRole(session, loginRole)
    const repaired = await restoreProtection(session)
    await session.run('commit')
    return { applied, ...repaired, restored: [...restored, ...repaired.restored] }
  } catch (error) {
    await session.run('rollback').catch(() => undefined)
    throw explained(error)
  }
}

/** Applies only the missing migrations. Returns their names, and the repairs that they needed. */
export async function applyMissing(session: Session): Promise<{ applied: string[]; restored: string[] }> {
  await session.run('create schema if not exists docket')
  await session.run(`create table if not exists docket.migrations (
    version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`)
  const migrations = await readMigrations()
  const missing = await missingMigrations(session, migrations)
  // The first migration makes the role. The later ones need it, even where the first was applied elsewhere.
  const restored = missing.length < migrations.length ? await restoreRole(session) : []
  for (const { version, name, sql, checksum } of missing) {
    await session.run(sql)
    await session.run(
      `insert into docket.migrations (version, name, checksum) values (${version}, '${name}', '${checksum}')`,
    )
  }
  return { applied: missing.map((migration) => migration.name), restored }
}

/**
 * Returns the migrations that a database lacks: all of them when it was never migrated.
 * @throws StartError when a newer program migrated it, a file has changed since it was applied, or the login role
 *   lacks the right to read this.
 */
export async function missingMigrations(
  session: Session,
  migrations: readonly Migration[],
): Promise<Migration[]> {
  const applied = await appliedMigrations(session)
  for (const row of applied) {
    const known = migrations.find((migration) => migration.version === row.version)
    if (known === undefined)
      throw new StartError(
        `The database was migrated by a newer Docket (it has ${row.name}): start that version, or restore a backup of before.`,
        78,
      )
    if (known.checksum !== row.checksum)
      throw new StartError(
        `Migration ${known.name} was changed after it was applied: restore the file and put the change into a new one.`,
        78,
      )
  }
  return migrations.filter((migration) => !applied.some((row) => row.version === migration.version))
}

async function appliedMigrations(session: Session) {
  try {
    const [there] = await session.run("select to_regclass('docket.migrations') is not null as there")
    if (there?.there !== true) return []
    return await session.run('select version, name, checksum from docket.migrations order by version')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === '42501')) throw error
    throw new StartError(
      'The login role was given no rights yet: run npx docket migrate with the database owner in DATABASE_MIGRATION_URL.',
      78,
      error,
    )
  }
}

function explained(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === '42501')
    return new StartError(
      'The login role may not migrate this database: use the database owner with CREATEROLE in DATABASE_MIGRATION_URL; where another login made the role docket_app, let that one GRANT docket_app TO this one WITH ADMIN OPTION.',
      78,
      error,
    )
  if (code === '55P03')
    return new StartError(
      'Another process has been migrating this database for 30 s: wait for it, or end it.',
      69,
      error,
    )
  return error
}
