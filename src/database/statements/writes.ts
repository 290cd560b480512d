import { and, eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import { type Row, rowReader } from './rows.ts'
import { build, type Cells, defineStatement, owner, type Statement, type Value } from './statement.ts'

/** A table of owners' rows, with the columns that all such tables have. */
export type OwnedTable = PgTable & { readonly owner_id: PgColumn; readonly id: PgColumn }

/** Values of the writable fields, by name. An omitted field is not written. */
export type Fields = Readonly<Record<string, Value>>

type Id = { readonly id: string }
type Written = { readonly id: string; readonly given: Fields }

/** The statements that write single rows of a table. */
export type Writes<Noun extends string> = {
  /** Makes a row. Omitted fields get their default. */
  readonly create: Statement<Written, Row, `create_${Noun}`>
  /** Makes the row, or writes the given fields. `made` is true when it made the row. */
  readonly put: Statement<Written, { readonly row: Row; readonly made: boolean }, `put_${Noun}`>
  /** Writes the given fields. The result is null when the row is missing. */
  readonly patch: Statement<Written, Row | null, `patch_${Noun}`>
  /** The result is true when there was a row. */
  readonly remove: Statement<Id, boolean, `delete_${Noun}`>
}

/**
 * Derives the writing statements of a table from the fields that a client may write, and their defaults.
 *
 * No statement changes an omitted field. The triggers of the table set `updated_at`, counts and other derived
 * values. Each statement that leaves a row returns all its columns.
 */
export function writesOf<const Noun extends string>(
  noun: Noun,
  table: OwnedTable,
  fields: readonly string[],
  defaults: Fields,
): Writes<Noun> {
  const columns = getTableColumns(table)
  const own = and(eq(table.owner_id, owner), eq(table.id, sql.placeholder('id')))
  const values = { owner_id: owner, id: sql.placeholder('id'), ...valuesOf(fields) }
  const read = rowReader(table)
  const row = ([cells]: readonly Cells[]) => (cells === undefined ? null : read(cells))
  /** Reads the row of a statement that always returns one. */
  const written = ([cells = []]: readonly Cells[]) => read(cells)

  const create = defineStatement({
    name: `create_${noun}`,
    access: 'write',
    query: build.insert(table).values(values).returning(columns),
    rows: written,
  })
  const put = defineStatement({
    name: `put_${noun}`,
    access: 'write',
    query: build
      .insert(table)
      .values(values)
      .onConflictDoUpdate({
        target: [table.owner_id, table.id],
        set: ifGiven(fields, (name) => sql`excluded.${sql.identifier(name)}`),
      })
      // Only a row that this statement inserted has no xmax.
      .returning({ ...columns, made: sql<boolean>`xmax = 0` }),
    rows: (rows) => ({ row: written(rows), made: rows[0]?.at(-1) === 't' }),
  })
  const patch = defineStatement({
    name: `patch_${noun}`,
    access: 'write',
    query: build
      .update(table)
      .set(ifGiven(fields, (name) => sql`${sql.placeholder(name)}`))
      .where(own)
      .returning(columns),
    rows: row,
  })
  const remove = defineStatement<Id, boolean, `delete_${Noun}`>({
    name: `delete_${noun}`,
    access: 'write',
    query: build.delete(table).where(own).returning({ id: table.id }),
    rows: (rows) => rows.length > 0,
  })

  const parameters = ({ id, given }: Written) => ({
    id,
    ...Object.fromEntries(
      fields.flatMap((name) => [
        [`set_${name}`, given[name] !== undefined],
        [name, given[name] ?? defaults[name] ?? null],
      ]),
    ),
  })
  return {
    create: { ...create, values: (to, input) => create.values(to, parameters(input)), weight: heavy },
    put: { ...put, values: (to, input) => put.values(to, parameters(input)), weight: heavy },
    patch: { ...patch, values: (to, input) => patch.values(to, parameters(input)), weight: heavy },
    remove,
  }

  function ifGiven(names: readonly string[], value: (name: string) => SQL): Record<string, SQL> {
    return Object.fromEntries(
      names.map((name) => {
        const kept = columns[name]
        return [
          name,
          sql`case when ${sql.placeholder(`set_${name}`)}::boolean then ${value(name)} else ${kept} end`,
        ]
      }),
    )
  }
}

const heavy = () => Infinity

function valuesOf(fields: readonly string[]): Record<string, ReturnType<typeof sql.placeholder>> {
  return Object.fromEntries(fields.map((name) => [name, sql.placeholder(name)]))
}
