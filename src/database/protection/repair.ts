import { appRole } from '../batch/app-role.ts'
import type { Session } from '../batch/session.ts'
import { findDifferences } from './check.ts'

/** What was restored, and, in sentences, what is for somebody to decide. */
export type Repaired = { readonly restored: string[]; readonly differences: string[] }

/** Makes the role anew where a restore into another cluster left it behind. Returns what was done. */
export async function restoreRole(session: Session): Promise<string[]> {
  const [role] = await session.run(`select 1 from pg_roles where rolname = '${appRole}'`)
  if (role !== undefined) return []
  // As the first migration makes it.
  await session.run(
    `create role ${appRole} nologin nosuperuser nobypassrls nocreatedb nocreaterole noinherit`,
  )
  return [`made the role ${appRole}`]
}

/**
 * Puts back what the migrations made and is missing, as after a restore without rights. What was added by somebody
 * else is named and left alone. Runs in the transaction of the migration, as its last statements: the search path is
 * another one afterwards.
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
