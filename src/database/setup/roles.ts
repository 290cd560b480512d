import { StartError } from '../../errors.ts'
import { appRole } from '../batch/app-role.ts'
import type { Session } from '../batch/session.ts'

const oldestPostgres = 15

/**
 * Lets a login role become the unprivileged role, see the applied migrations, and count requests; nothing more.
 * Since Postgres 16 the login role does not inherit the rights of the unprivileged role.
 * Existing rights are not granted again, so a second start needs no right to grant.
 */
export async function grantAppRole(session: Session, loginRole?: string): Promise<void> {
  // The name is passed as a value, because inside the quoted block it could end the quotes.
  const name = loginRole === undefined ? 'current_user::text' : `'${loginRole.replaceAll("'", "''")}'`
  await session.run(`select set_config('docket.login', ${name}, true)`)
  await session.run(`do $$
    declare
      login constant text := current_setting('docket.login');
    begin
      if current_setting('server_version_num')::int >= 160000 then
        if not pg_has_role(login, '${appRole}', 'SET') then
          execute format('grant ${appRole} to %I with set true, inherit false', login);
        end if;
      elsif not pg_has_role(login, '${appRole}', 'MEMBER') then
        execute format('grant ${appRole} to %I', login);
      end if;
      if not has_schema_privilege(login, 'docket', 'USAGE') then
        execute format('grant usage on schema docket to %I', login);
      end if;
      if not has_table_privilege(login, 'docket.rate_windows', 'DELETE') then
        execute format('grant select, insert, update, delete on docket.rate_windows to %I', login);
      end if;
      if not has_table_privilege(login, 'docket.migrations', 'SELECT') then
        execute format('grant select on docket.migrations to %I', login);
      end if;
    end
    $$`)
}

/** @throws StartError when Postgres is older than the oldest tested version, or could not store every text. */
export async function checkVersion(session: Session): Promise<void> {
  const [server] = await session.run(
    `select current_setting('server_version_num')::int / 10000 as version, current_setting('server_encoding') as encoding,
      current_setting('DateStyle') as dates`,
  )
  if (Number(server?.version) < oldestPostgres)
    throw new StartError(
      `Postgres ${server?.version} is too old: Docket needs ${oldestPostgres} or newer.`,
      78,
    )
  if (server?.encoding !== 'UTF8')
    throw new StartError(
      `The database is encoded in ${server?.encoding}, which cannot store every text: create one with ENCODING 'UTF8'.`,
      78,
    )
  // Rows of a write come back as the session writes them.
  if (!String(server?.dates).startsWith('ISO'))
    throw new StartError(
      'The login has another DateStyle than ISO: run ALTER ROLE … SET DateStyle TO ISO.',
      78,
    )
}

/**
 * Checks that isolation does not depend on `WHERE` alone. It becomes the unprivileged role, as every batch does,
 * and asks Postgres whether the policies then apply.
 *
 * @throws StartError when the role is missing, cannot be taken, or could bypass the policies.
 */
export async function checkRole(session: Session): Promise<void> {
  const [role] = await session.run(
    `select rolsuper or rolbypassrls as unsafe from pg_roles where rolname = '${appRole}'`,
  )
  if (role === undefined)
    throw new StartError(`The role ${appRole} does not exist: run npx docket migrate.`, 78)
  if (role.unsafe === true)
    throw new StartError(
      `The role ${appRole} could bypass row-level security: run ALTER ROLE ${appRole} NOSUPERUSER NOBYPASSRLS as an administrator.`,
      78,
    )
  const unprotected = await asAppRole(session)
  if (unprotected.length > 0)
    throw new StartError(
      `Row-level security is not in force on ${unprotected.map((row) => row.name).join(', ')}: run npx docket migrate, or enable and force it.`,
      78,
    )
}

/** The tables with owners' rows on which policies do not apply to the unprivileged role. */
async function asAppRole(session: Session) {
  await session.run('begin')
  try {
    await session.run(`select set_config('role', '${appRole}', true)`)
    return await session.run(`select format('%I.%I', n.nspname, c.relname) as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'owner_id' and not a.attisdropped
      where n.nspname = 'docket' and c.relkind in ('r', 'p')
        and not (c.relrowsecurity and c.relforcerowsecurity and row_security_active(c.oid))`)
  } catch (error) {
    throw new StartError(
      `The login role may not become ${appRole}: run npx docket migrate with the database owner in DATABASE_MIGRATION_URL.`,
      78,
      error,
    )
  } finally {
    await session.run('rollback')
  }
}
