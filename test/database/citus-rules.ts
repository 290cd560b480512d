import { z } from 'zod'
import type { Catalog } from './catalogs.ts'

/** Gives each offence in a database as one line; none is none. */
export type Rule = (catalog: Catalog) => Promise<string[]>

/** Tables that hold nothing of an owner: they stay whole, on one node. A new one is added here knowingly. */
export const localTables = ['docket.migrations', 'docket.rate_windows']

const local = localTables.map((name) => `'${name}'`).join(', ')

/** Every table of ours, and the number of its column owner_id, if it has one. */
const tables = `(select c.oid, format('%I.%I', n.nspname, c.relname) as name, a.attnum as owner
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_attribute a on a.attrelid = c.oid and a.attname = 'owner_id' and not a.attisdropped
  where n.nspname = 'docket' and c.relkind in ('r', 'p') and not c.relispartition)`

const offencesOf =
  (sql: string): Rule =>
  async (catalog) =>
    (await catalog.rows<{ offence: string }>(`select offence from (${sql}) found order by 1`)).map(
      ({ offence }) => offence,
    )

export const everyTableIsDistributedOrLocal = offencesOf(`
  select name || case when owner is null then ' has no owner_id' else ' has one, and is said to be local' end as offence
  from ${tables} t where (owner is null) <> (name in (${local}))`)

/** Tables are co-located, an owner's rows of all of them on one node, when type and collation are the same. */
export const ownersAreOfOneType = offencesOf(`
  select format('%s.owner_id is %s%s collate %I', t.name, format_type(a.atttypid, a.atttypmod),
    case when a.attnotnull then ' not null' else '' end, o.collname) as offence
  from ${tables} t join pg_attribute a on a.attrelid = t.oid and a.attnum = t.owner
  left join pg_collation o on o.oid = a.attcollation
  where not (a.atttypid = 'text'::regtype and a.attnotnull and o.collname = 'C')`)

export const uniqueKeysStartWithTheOwner = offencesOf(`
  select format('%s of %s is unique without the owner in front', i.indexrelid::regclass, t.name) as offence
  from ${tables} t join pg_index i on i.indrelid = t.oid
  where (i.indisunique or i.indisexclusion) and t.owner is not null and i.indkey[0] <> t.owner`)

export const everyTableHasAPrimaryKey = offencesOf(`
  select name || ' has no primary key' as offence from ${tables} t
  where not exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary)`)

export const foreignKeysStayWithTheOwner = offencesOf(`
  select format('%s of %s refers to %s', k.conname, t.name, coalesce(other.name, k.confrelid::regclass::text)) as offence
  from ${tables} t join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
  left join ${tables} other on other.oid = k.confrelid
  where (t.owner is not null or other.owner is not null)
    and not coalesce(k.conkey[1] = t.owner and k.confkey[1] = other.owner, false)`)

export const nothingIsCountedByASequence = offencesOf(`
  select format('%s.%I takes its value from a sequence', t.name, a.attname) as offence
  from ${tables} t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
  where t.owner is not null and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) ~ 'nextval')
  union all
  select format('%s is a sequence', c.oid::regclass) from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'docket' and c.relkind = 'S'`)

export const nobodyMayMoveARow = offencesOf(`
  select format('%s may give a row of %s to another owner', r.rolname, t.name) as offence
  from ${tables} t cross join pg_roles r
  where t.owner is not null and r.rolname = 'docket_app' and has_column_privilege(r.oid, t.oid, t.owner, 'UPDATE')`)

type Statement = {
  readonly name: string
  readonly text: string
  /** How many parameters it takes, and which of them, counted from 1, is the owner. */
  readonly parameters: number
  readonly owner: number
}

/** What the triggers on tables of owners do, each piece of SQL as a statement whose first parameter is the row's owner. */
export async function triggerStatements(catalog: Catalog): Promise<Statement[]> {
  const functions = await catalog.rows<{ name: string; source: string }>(`
    select distinct p.oid::regprocedure::text as name, p.prosrc as source
    from ${tables} t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal join pg_proc p on p.oid = g.tgfoid
    where t.owner is not null`)
  return functions.flatMap(({ name, source }) =>
    source
      .split(';')
      .filter((piece) => piece.includes('docket.'))
      .map((piece) => ({ name, text: standingAlone(piece, variablesOf(source)), parameters: 1, owner: 1 })),
  )
}

/** A piece of PL/pgSQL as plain SQL: from its first verb on, with null for its variables. */
function standingAlone(piece: string, variables: readonly string[]): string {
  const sql = piece
    .replace(/^[\s\S]*?\b(?=(insert into|update|delete from|select|perform|with)\s)/i, '')
    .replace(/^perform/i, 'select')
    .replace(/\b(new|old)\.owner_id\b/gi, () => '$1')
    .replace(/\b(new|old)\.\w+/gi, 'null')
    .replace(/\s+into\s+(?!docket\.)[\w, ]+$/i, '')
  return variables.length === 0
    ? sql
    : sql.replaceAll(new RegExp(`\\b(${variables.join('|')})\\b`, 'g'), 'null')
}

/** The names that a function declares. */
function variablesOf(source: string): string[] {
  const declared = /\bdeclare\b([\s\S]*?)\bbegin\b/i.exec(source)?.[1] ?? ''
  return declared.split(';').flatMap((one) => /^\s*(\w+)/.exec(one)?.[1] ?? [])
}

export type Plan = {
  'Node Type': string
  Operation?: string | undefined
  Schema?: string | undefined
  'Relation Name'?: string | undefined
  'Parent Relationship'?: string | undefined
  'Index Cond'?: string | undefined
  'Recheck Cond'?: string | undefined
  Filter?: string | undefined
  Output?: string[] | undefined
  Plans?: Plan[] | undefined
}

const Plan: z.ZodType<Plan> = z.object({
  'Node Type': z.string(),
  Operation: z.string().optional(),
  Schema: z.string().optional(),
  'Relation Name': z.string().optional(),
  'Parent Relationship': z.string().optional(),
  'Index Cond': z.string().optional(),
  'Recheck Cond': z.string().optional(),
  Filter: z.string().optional(),
  Output: z.array(z.string()).optional(),
  Plans: z.lazy(() => z.array(Plan)).optional(),
})
const Explained = z.tuple([z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan })]) })])

/** The plan that Postgres keeps for a prepared statement, for any values; made without the policies' help. */
export async function keptPlan(
  catalog: Catalog,
  { text, parameters }: Pick<Statement, 'text' | 'parameters'>,
): Promise<Plan> {
  const values = Array(parameters).fill('null').join(', ')
  await catalog.rows('set plan_cache_mode = force_generic_plan')
  await catalog.rows(`prepare looked_at as ${text}`)
  try {
    const rows = await catalog.rows(`explain (verbose, format json) execute looked_at (${values})`)
    return Explained.parse(rows)[0]['QUERY PLAN'][0].Plan
  } finally {
    await catalog.rows('deallocate looked_at')
  }
}

/** Every place in a statement's plan that reads or writes a table of owners without saying whose rows it means. */
export async function unrouted(catalog: Catalog, statement: Statement): Promise<string[]> {
  const columns = await catalog.rows<{ name: string; owner: number | null }>(
    `select name, owner from ${tables} t`,
  )
  const ownerOf = new Map(columns.map(({ name, owner }) => [name, owner ?? undefined]))
  const nodes = below(await keptPlan(catalog, statement))
  return nodes.flatMap((node) => {
    const table = `${node.Schema}.${node['Relation Name']}`
    const owner = ownerOf.get(table)
    if (node['Relation Name'] === undefined || localTables.includes(table)) return []
    if (owner === undefined) return [`${statement.name}: ${table} is no table of owners`]
    return saysWhose(node, { column: owner, parameter: `$${statement.owner}` })
      ? []
      : [`${statement.name}: ${node.Operation ?? node['Node Type']} of ${table}`]
  })
}

export function below(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(below)]
}

function saysWhose(node: Plan, owner: { column: number; parameter: string }): boolean {
  if (node['Node Type'] === 'ModifyTable') {
    if (node.Operation !== 'Insert') return below(node).some((each) => isScanOf(each, node))
    // What is inserted comes from the node below, in the order of the table's columns.
    const source = node.Plans?.find((each) => each['Parent Relationship'] === 'Outer')
    return source?.Output?.[owner.column - 1]?.replace(/^\((.*)\)::text$/, '$1') === owner.parameter
  }
  const conditions = [node['Index Cond'], node['Recheck Cond'], node.Filter].join(' ')
  const equal = new RegExp(`\\((\\w+\\.)?owner_id = \\(?\\${owner.parameter}(\\)::text)?\\)`)
  return equal.test(conditions) && !conditions.includes(' OR ')
}

const isScanOf = (node: Plan, modified: Plan) =>
  node['Node Type'] !== 'ModifyTable' && node['Relation Name'] === modified['Relation Name']
