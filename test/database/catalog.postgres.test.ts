import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Catalog, catalogs } from './catalogs.ts'

const ownTables = `select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relrowsecurity, c.relforcerowsecurity
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attname = 'owner_id' and not a.attisdropped
  where c.relkind in ('r', 'p') and n.nspname !~ '^pg_'`

/** Schemas that are not Postgres' own. */
const ours = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

/** Every table there is with rows of owners: a new one is added here knowingly. */
const tables = ['docket.owners', 'docket.tasks']

const isOwner = "(owner_id = NULLIF(current_setting('app.user_id'::text, true), ''::text))"

describe.each(catalogs)('on %s', (_engine, open) => {
  let catalog: Catalog
  beforeAll(async () => {
    catalog = await open()
  })
  afterAll(() => catalog.close())

  test('every table with owners has row-level security enabled and forced', async () => {
    const found = await catalog.rows(
      `select name, relrowsecurity, relforcerowsecurity from (${ownTables}) own order by name`,
    )
    expect(found).toEqual(tables.map((name) => ({ name, relrowsecurity: true, relforcerowsecurity: true })))
  })

  test('every command on it is held to the owner, for reading and for writing', async () => {
    const policies = await catalog.rows(`
      select own.name, cmd.letter, p.polpermissive, pg_get_expr(p.polqual, own.oid) as using,
        pg_get_expr(p.polwithcheck, own.oid) as check
      from (${ownTables}) own cross join (values ('r'), ('a'), ('w'), ('d')) cmd (letter)
      left join pg_policy p on p.polrelid = own.oid and p.polcmd in ('*', cmd.letter::"char")
        and p.polroles = array['docket_app'::regrole::oid]
      order by own.name, cmd.letter`)
    const held = { polpermissive: true, using: isOwner, check: isOwner }
    expect(policies).toEqual(
      tables.flatMap((name) => ['a', 'd', 'r', 'w'].map((letter) => ({ ...held, name, letter }))),
    )
  })

  test('no other policy opens it further', async () => {
    const others = await catalog.rows(`select own.name, p.polname from (${ownTables}) own
      join pg_policy p on p.polrelid = own.oid
      where p.polroles <> array['docket_app'::regrole::oid]
        or coalesce(pg_get_expr(p.polqual, own.oid), '${isOwner.replaceAll("'", "''")}') <> '${isOwner.replaceAll("'", "''")}'`)
    expect(others).toEqual([])
  })

  test('its key, every index, every unique and every foreign key start with the owner', async () => {
    const starts = await catalog.rows(`
      select i.indexrelid::regclass::text as name, a.attname as first from (${ownTables}) own
      join pg_index i on i.indrelid = own.oid
      left join pg_attribute a on a.attrelid = own.oid and a.attnum = i.indkey[0]
      union all
      select k.conname, a.attname from (${ownTables}) own
      join pg_constraint k on k.conrelid = own.oid and k.contype in ('p', 'u', 'f', 'x')
      left join pg_attribute a on a.attrelid = own.oid and a.attnum = k.conkey[1]
      order by 1`)
    expect(starts).toEqual([
      { name: 'docket.owners_pkey', first: 'owner_id' },
      { name: 'docket.tasks_newest_first', first: 'owner_id' },
      { name: 'docket.tasks_pkey', first: 'owner_id' },
      { name: 'owners_pkey', first: 'owner_id' },
      { name: 'tasks_pkey', first: 'owner_id' },
    ])
    const keys = await catalog.rows(`select own.name from (${ownTables}) own where not exists
      (select from pg_index i where i.indrelid = own.oid and i.indisprimary)`)
    expect(keys).toEqual([])
  })

  test('owners are compared by bytes, whatever the locale of the machine', async () => {
    const collations = await catalog.rows(`select distinct o.collname from (${ownTables}) own
      join pg_attribute a on a.attrelid = own.oid and a.attname = 'owner_id'
      join pg_collation o on o.oid = a.attcollation`)
    expect(collations).toEqual([{ collname: 'C' }])
  })

  test('docket_app has these rights on relations and no others, not even through PUBLIC', async () => {
    const rights = await catalog.rows<{ right: string }>(`
      select format('%s %I.%I', p.privilege, n.nspname, c.relname) as right
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']
        || case when current_setting('server_version_num')::int >= 170000 then array['MAINTAIN'] else '{}'::text[] end) p (privilege)
      where ${ours} and c.relkind in ('r', 'p', 'v', 'm', 'f') and has_table_privilege('docket_app', c.oid, p.privilege)
      union all
      select format('%s %I.%I.%I', p.privilege, n.nspname, c.relname, a.attname)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p (privilege)
      where ${ours} and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and has_column_privilege('docket_app', c.oid, a.attnum, p.privilege)
        and not has_table_privilege('docket_app', c.oid, p.privilege)
      union all
      select format('%s sequence %I.%I', p.privilege, n.nspname, c.relname)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      cross join unnest(array['USAGE', 'SELECT', 'UPDATE']) p (privilege)
      where c.relkind = 'S' and has_sequence_privilege('docket_app', c.oid, p.privilege)
      order by 1`)
    expect(rights.map(({ right }) => right)).toEqual([
      'DELETE docket.tasks',
      'INSERT docket.owners',
      'INSERT docket.tasks',
      'SELECT docket.owners',
      'SELECT docket.tasks',
      'UPDATE docket.owners.byte_count',
      'UPDATE docket.owners.task_count',
      'UPDATE docket.tasks.description',
      'UPDATE docket.tasks.status',
      'UPDATE docket.tasks.title',
    ])
  })

  test('docket_app can look into the schema docket, into none of the issuer, and create nowhere', async () => {
    const schemas = await catalog.rows(`
      select n.nspname as name, has_schema_privilege('docket_app', n.oid, 'USAGE') as usage,
        has_schema_privilege('docket_app', n.oid, 'CREATE') as create
      from pg_namespace n where ${ours} order by 1`)
    expect(schemas).toEqual([
      { name: 'auth', usage: false, create: false },
      { name: 'docket', usage: true, create: false },
      { name: 'public', usage: true, create: false },
    ])
    const issuer = await catalog.rows("select to_regclass('auth.user') is not null as there")
    expect(issuer).toEqual([{ there: true }])
    const database = await catalog.rows(
      "select has_database_privilege('docket_app', current_database(), 'CREATE') as create",
    )
    expect(database).toEqual([{ create: false }])
  })

  test('docket_app cannot log in, is nobody special, is a member of nothing and owns nothing', async () => {
    const roles = await catalog.rows(`select rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
      rolreplication, rolinherit from pg_roles where rolname = 'docket_app'`)
    expect(roles).toEqual([
      {
        rolcanlogin: false,
        rolsuper: false,
        rolbypassrls: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolreplication: false,
        rolinherit: false,
      },
    ])
    const role = "'docket_app'::regrole"
    expect(await catalog.rows(`select roleid from pg_auth_members where member = ${role}`)).toEqual([])
    expect(
      await catalog.rows(`select objid from pg_shdepend where refobjid = ${role} and deptype = 'o'`),
    ).toEqual([])
  })

  test('nothing in the schema runs with the rights of who made it, or by a call of docket_app', async () => {
    const routines = await catalog.rows(`select p.oid::regprocedure::text from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = 'docket' and (p.prosecdef or has_function_privilege('docket_app', p.oid, 'EXECUTE'))`)
    expect(routines).toEqual([])
    const views =
      await catalog.rows(`select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'docket' and c.relkind in ('v', 'm')`)
    expect(views).toEqual([])
  })
})
