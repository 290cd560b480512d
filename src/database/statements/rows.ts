import { type Column, getTableColumns } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Cells } from './statement.ts'

/** A row as the API spells it: each column under its own name. */
export type Row = Readonly<Record<string, unknown>>

/**
 * Reads a row of a table from the text that Postgres sends, with all columns in the order of `getTableColumns`.
 * Instants are in ISO format, in any time zone: a start refuses another DateStyle.
 */
export function rowReader(table: PgTable): (cells: Cells) => Row {
  const columns = Object.values(getTableColumns(table)).map(({ name, ...column }) => ({
    name,
    read: readerOf(column),
  }))
  return (cells) =>
    Object.fromEntries(
      columns.map(({ name, read }, i) => {
        const text = cells[i] ?? null
        return [name, text === null ? null : read(text)]
      }),
    )
}

function readerOf({ dataType }: Pick<Column, 'dataType'>): (text: string) => unknown {
  if (dataType === 'date') return instant
  if (dataType === 'number') return Number
  if (dataType === 'boolean') return (text) => text === 't'
  return (text) => text
}

const isoText = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,3}))?([+-]\d\d(?::\d\d)?)$/

/** Converts `2026-11-20 18:27:00.12+00` to RFC 3339 in UTC with milliseconds. */
export function instant(text: string): string {
  const [, date, time, fraction = '', offset = ''] = isoText.exec(text) ?? []
  if (date === undefined) throw new Error('Postgres wrote an instant in an unexpected format')
  const local = `${date}T${time}.${fraction.padEnd(3, '0')}`
  if (offset === '+00') return `${local}Z`
  return new Date(`${local}${offset.length === 3 ? `${offset}:00` : offset}`).toISOString()
}
