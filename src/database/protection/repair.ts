import { appRole } from '../batch/app-role.ts'
import type { Session } from '../batch/session.ts'
import { findDifferences } from './check.ts'

/** The repairs that were made, and sentences for the differences that somebody has to decide. */
export type Repaired = { readonly restored: string[]; readonly differences: string[] }

/** Creates the role where a restore into another cluster left it out. Returns what was done. */
export async function restoreRole(session: Session): Promise<string[]> {
  const [role] = await session.run(`select 1 from pg_roles where rolname = '${appRole}'`)
  if (role !== undefined) return []
  // The first migration makes the role in the same way.
  await session.run(
    `create role ${appRole} nologin nosuperuser nobypassrls nocreatedb nocreaterole noinherit`,
  )
  return [`made the role ${appRole}`]
}

/**
 * Restores rights and policies of the migrations that are missing, as after a restore without rights. Additions by
 * others are named and left alone.
 * This must come last in the transaction of the migration, because it changes the search path.
 */
export async function restoreProtection(session: Session): Promise<Repaired> {
  const restored: string[] = []
  for (const { repair } of await findDifferences(session)) {
    if (repair === undefined) continue
    await session.run(repair.sql)
    restored.push(repair.done)
  }
  const left = await findDifferences(session)
  return { restored, differences: left.map(({ sentence }) => sentence) }
}
