import { z } from 'zod'
import type { Session } from '../batch/session.ts'

/**
 * The rights in the schema docket, and the protection that limits statements to the rows of their owner.
 * Texts are in the words of SQL: `GRANT <right> TO <role>` and `CREATE POLICY <name> ON <table> <policy>` make
 * them.
 */
const Protection = z.strictObject({
  /** The version of the latest migration that was applied. */
  migration: z.int(),
  /** Rights on the schema and on what is in it, such as `INSERT on docket.tasks`. */
  rights: z.strictObject({ docket_app: z.array(z.string()), PUBLIC: z.array(z.string()) }),
  /** Roles that docket_app is a member of. */
  memberships: z.array(z.string()),
  /** Tables with rows of owners, by name. */
  tables: z.record(
    z.string(),
    z.strictObject({
      row_security: z.enum(['forced', 'enabled', 'off']),
      policies: z.record(z.string(), z.string()),
      triggers: z.record(z.string(), z.enum(['enabled', 'disabled'])),
    }),
  ),
})
export type Protection = z.output<typeof Protection>

/**
 * Until the end of the transaction, names have one spelling, whatever the login role has set for itself.
 * The statement returns no row, because `concat` is never null.
 */
const pinned =
  "select where concat(set_config('search_path', 'pg_catalog', true), set_config('quote_all_identifiers', 'off', true)) is null"

/** Reads the catalog, which every role may read, and `docket.migrations`, which the login role may read. */
const facts = `
with grantees (oid, name) as (
  select 0::oid, 'PUBLIC' union all select oid, 'docket_app' from pg_roles where rolname = 'docket_app'
), docket as (
  select * from pg_namespace where nspname = 'docket'
), relations as (
  select c.*, format('docket.%I', c.relname) as name from pg_class c join docket on docket.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
), acls (privilege, object, acl) as (
  select '', 'schema docket', coalesce(nspacl, acldefault('n', nspowner)) from docket
  union all
  select '', name, coalesce(relacl, acldefault(case relkind when 'S' then 's'::"char" else 'r' end, relowner))
  from relations
  union all
  select format(' (%I)', a.attname), r.name, a.attacl
  from relations r join pg_attribute a on a.attrelid = r.oid and not a.attisdropped and a.attacl is not null
  union all
  select '', format('routine docket.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
    coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p join docket on docket.oid = p.pronamespace
), rights as (
  select distinct g.name, a.privilege_type || acls.privilege || ' on ' || acls.object as held
  from acls cross join aclexplode(acls.acl) a join grantees g on g.oid = a.grantee
), tables as (
  select r.oid, r.name,
    case when r.relforcerowsecurity and r.relrowsecurity then 'forced' when r.relrowsecurity then 'enabled' else 'off'
    end as row_security
  from relations r join pg_attribute a on a.attrelid = r.oid and a.attname = 'owner_id' and not a.attisdropped
  where r.relkind in ('r', 'p')
), policies as (
  select t.oid, format('%I', p.polname) as name, concat('as ', case when p.polpermissive then 'permissive' else 'restrictive' end,
    ' for ', case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end,
    ' to ', (select string_agg(coalesce(quote_ident(rolname), 'PUBLIC'), ', ' order by rolname)
      from unnest(p.polroles) role left join pg_roles on pg_roles.oid = role),
    ' using (' || pg_get_expr(p.polqual, t.oid) || ')',
    ' with check (' || pg_get_expr(p.polwithcheck, t.oid) || ')') as text
  from tables t join pg_policy p on p.polrelid = t.oid
), triggers as (
  select t.oid, format('%I', g.tgname) as name,
    case when g.tgenabled in ('O', 'A') then 'enabled' else 'disabled' end as state
  from tables t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
)
select json_build_object(
  'migration', (select max(version) from docket.migrations),
  'rights', json_build_object(
    'docket_app', (select coalesce(json_agg(held order by held), '[]') from rights where name = 'docket_app'),
    'PUBLIC', (select coalesce(json_agg(held order by held), '[]') from rights where name = 'PUBLIC')),
  'memberships', (select coalesce(json_agg(quote_ident(r.rolname) order by r.rolname), '[]') from pg_auth_members m
    join grantees g on g.oid = m.member and g.name = 'docket_app' join pg_roles r on r.oid = m.roleid),
  'tables', (select coalesce(json_object_agg(name, json_build_object(
      'row_security', row_security,
      'policies', (select coalesce(json_object_agg(p.name, p.text order by p.name), '{}') from policies p where p.oid = t.oid),
      'triggers', (select coalesce(json_object_agg(g.name, g.state order by g.name), '{}') from triggers g where g.oid = t.oid)
    ) order by name), '{}') from tables t)
)::text as protection`

/** Two statements of one transaction. The second returns one row with one column, for `readProtection`. */
export const protectionQueries: readonly [pin: string, facts: string] = [pinned, facts]

/** @throws ZodError or SyntaxError when the text is not a result of the second query. */
export function readProtection(text: string | null | undefined): Protection {
  return Protection.parse(JSON.parse(text ?? ''))
}

/** Reads the protection of a database now. In a transaction, it changes the search path of later statements. */
export async function lookAtProtection(session: Session): Promise<Protection> {
  const [row] = await session.run(protectionQueries.join(';\n'))
  return readProtection(String(row?.protection))
}
