import { and, desc, eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import { alias, type PgColumn, type PgTable } from 'drizzle-orm/pg-core'
import { jsonColumns } from './columns.ts'
import { defineStatement, owner, raw, type Statement } from './statement.ts'
import type { OwnedTable } from './writes.ts'

/** The requested part of a list. */
export type Page = { readonly limit: number; readonly skip: number }

/** A list as JSON text. `cutAfter` is the number of rows in a list that ended early. */
export type Listed = { readonly json: string; readonly cutAfter: number | undefined }

/** The statements that read a table. Postgres makes the JSON. */
export type Reads<Noun extends string> = {
  readonly get: Statement<{ readonly id: string }, string | null, `get_${Noun}`>
  readonly list: Statement<Page, Listed, `list_${Noun}s`>
}

/** A list ends with the row that brings its JSON to this number of bytes. */
const listBytes = sql.raw('1000000')

/** Below this number of stored bytes, 500 rows stay below `listBytes`. JSON makes up to six bytes of one. */
const shortBytes = sql.raw('130000')

/** Number of rows that keep Postgres busy as long as one read by key. */
const rowsOfWeight = 30

export function readsOf<const Noun extends string>(
  noun: Noun,
  table: OwnedTable & { readonly created_at: PgColumn },
): Reads<Noun> {
  return { get: getOf(noun, table), list: listOf(noun, table) }
}

function getOf<const Noun extends string>(noun: Noun, table: OwnedTable): Reads<Noun>['get'] {
  const own = and(eq(table.owner_id, owner), eq(table.id, sql.placeholder('id')))
  return defineStatement({
    name: `get_${noun}`,
    access: 'read',
    weight: () => 1,
    query: raw(
      sql`select row_to_json(answer)::text from (select ${jsonColumns(table)} from ${table} where ${own}) answer`,
    ),
    rows: ([cells]) => cells?.[0] ?? null,
  })
}

/**
 * Newest first, as one JSON array of about 1 MB at most.
 *
 * The second branch runs for long texts only. It first drops rows that cannot be in the list, by their stored
 * length. Then it makes JSON of the rest.
 */
function listOf<const Noun extends string>(
  noun: Noun,
  table: OwnedTable & { readonly created_at: PgColumn },
): Reads<Noun>['list'] {
  const page = alias(table, 'page')
  const lines = (from: SQL) =>
    sql`select row_to_json(answer)::text as json from (select ${jsonColumns(page)} from ${from}) answer`
  const bytes = textBytes(page)
  return defineStatement({
    name: `list_${noun}s`,
    access: 'read',
    // A full connection delays the next batch by about a millisecond, whatever the length of the lists.
    weight: ({ limit, skip }: Page) => 1 + Math.ceil((limit + skip / 10) / rowsOfWeight),
    query: raw(sql`
      with page as materialized (
        select * from ${table} where ${eq(table.owner_id, owner)}
        order by ${desc(table.created_at)}, ${desc(table.id)}
        limit ${sql.placeholder('limit')} offset ${sql.placeholder('skip')}
      ), cut as materialized (
        select json from (
          select json, sum(octet_length(json)) over (rows unbounded preceding) - octet_length(json) as before
          from (${lines(sql`(
            select * from (
              select *, sum(${bytes}) over (rows unbounded preceding) - (${bytes}) as before from page
            ) page where before < ${listBytes}
          ) page`)}) as lines
        ) lines where before < ${listBytes}
      )
      select
        '[' || coalesce(case when long then (select string_agg(json, ',') from cut)
          else (select string_agg(json, ',') from (${lines(sql`page`)}) as lines) end, '') || ']',
        case when long then nullif((select count(*) from cut), (select count(*) from page)) end
      from (select sum(${bytes}) > ${shortBytes} as long from page) as size`),
    rows: ([cells]) => ({
      json: cells?.[0] ?? '[]',
      cutAfter: cells?.[1] == null ? undefined : Number(cells[1]),
    }),
  })
}

/** Stored bytes of the texts of a row. Postgres reads them from the length words, so a long text stays on disk. */
function textBytes(table: PgTable): SQL {
  const texts = Object.values(getTableColumns(table)).filter(({ columnType }) => columnType === 'PgText')
  return sql.join(
    texts.map((column) => sql`coalesce(octet_length(${column}), 0)`),
    sql` + `,
  )
}
