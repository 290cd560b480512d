import { type Column, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'

/**
 * An instant as RFC 3339 UTC text with milliseconds, whatever TimeZone and DateStyle the session has.
 *
 * `to_json` drops trailing zeros. The added microsecond makes it print six digits, and three are kept.
 * `to_char` costs several times as much, a large part of the whole list statement.
 */
function instant(column: Column): SQL {
  return sql`substr(to_json(${column} at time zone 'utc' + interval '1 microsecond')::text, 2, 23) || 'Z'`
}

/**
 * The columns of a table as the API spells them, for `row_to_json`. Each has its own name, and instants are text.
 * A new column of the table is in every response automatically.
 */
export function jsonColumns(table: PgTable): SQL {
  const columns = Object.values(getTableColumns(table))
  return sql.join(
    columns.map((column) =>
      column.dataType === 'date'
        ? sql`${instant(column)} as ${sql.identifier(column.name)}`
        : sql`${column} as ${sql.identifier(column.name)}`,
    ),
    sql`, `,
  )
}

/** The row a write just made, as JSON text; for a RETURNING clause. */
export function returnedJson(table: PgTable): SQL<string> {
  return sql<string>`(select row_to_json(answer)::text from (select ${jsonColumns(table)}) answer)`
}
