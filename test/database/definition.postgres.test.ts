import { is, SQL } from 'drizzle-orm'
import { getTableConfig, PgDialect } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tasks } from '../../src/tasks/table.ts'
import { type Catalog, catalogs } from './catalogs.ts'

const definition = getTableConfig(tasks)
const table = `${definition.schema}.${definition.name}`
const dialect = new PgDialect()

/** A fragment as SQL text, its columns without the table in front of them. */
const textOf = (fragment: SQL) =>
  dialect.sqlToQuery(fragment).sql.replaceAll(`"${definition.schema}"."${definition.name}".`, '')

describe.each(catalogs)('the one definition of a task is what the migrations made on %s', (_engine, open) => {
  let catalog: Catalog
  beforeAll(async () => {
    catalog = await open()
  })
  afterAll(() => catalog.close())

  test('its columns: names, types, which may be null', async () => {
    const made = await catalog.rows(`select attname as name, format_type(atttypid, atttypmod) as type,
        attnotnull as "notNull" from pg_attribute
      where attrelid = '${table}'::regclass and attnum > 0 and not attisdropped order by attname`)
    const defined = definition.columns.map((column) => ({
      name: column.name,
      type: column.getSQLType().replace(' (', '('),
      notNull: column.notNull,
    }))
    expect(made).toEqual(defined.sort((a, b) => (a.name < b.name ? -1 : 1)))
  })

  test('its defaults and its checks, as Postgres itself reads them', async () => {
    const columns = definition.columns.map((column) => {
      const preset = is(column.default, SQL) ? textOf(column.default) : `'${column.default}'`
      return `${column.name} ${column.getSQLType()}${column.hasDefault ? ` default ${preset}` : ''}`
    })
    const checks = definition.checks.map(({ name, value }) => `constraint ${name} check (${textOf(value)})`)
    await catalog.rows(`create table public.defined (${[...columns, ...checks].join(', ')})`)
    const factsOf = (relation: string) =>
      catalog.rows(`
        select attname as name, pg_get_expr(d.adbin, d.adrelid) as text from pg_attrdef d
        join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where d.adrelid = '${relation}'::regclass
        union all
        select conname, pg_get_constraintdef(oid) from pg_constraint
        where conrelid = '${relation}'::regclass and contype = 'c' order by 1`)
    const [made, defined] = [await factsOf(table), await factsOf('public.defined')]
    expect(made.length).toBeGreaterThan(0)
    expect(made).toEqual(defined)
  })

  test('its key and its indexes', async () => {
    const made = await catalog.rows<{ name: string; text: string }>(`
      select c.relname as name, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') as text
      from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = '${table}'::regclass order by 1`)
    const keys = definition.primaryKeys.map((key) => ({
      name: key.getName(),
      text: `btree (${key.columns.map((column) => column.name).join(', ')})`,
    }))
    const indexes = definition.indexes.map(({ config }) => ({
      name: config.name,
      text: `btree (${config.columns.map(columnOf).join(', ')})`,
    }))
    expect(made).toEqual([...indexes, ...keys])
  })
})

/** A column of an index as Postgres writes it. */
function columnOf(column: object): string {
  const name = 'name' in column ? String(column.name) : ''
  const order = 'indexConfig' in column ? (column.indexConfig as { order?: string }).order : undefined
  return order === 'desc' ? `${name} DESC` : name
}
