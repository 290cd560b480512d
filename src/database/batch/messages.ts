import type { Value } from '../statements/statement.ts'

/**
 * The frontend messages that Docket sends, as bytes.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * Values and results are in text format. The columns are known, so no statement is described.
 */

/** One run of a statement: by its name on the connection or, without a name, by the bytes of its Parse. */
export type Run = { readonly name: string; readonly values: readonly Value[]; readonly parse?: Buffer }

const execute = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0])
const sync = Buffer.from([0x53, 0, 0, 0, 4])
const int16 = 2
const int32 = 4

/**
 * Bind and Execute for each run, closed by one Sync. Postgres runs them as one implicit transaction.
 * An error in any run undoes all. After the Sync, the next batch on the connection starts afresh.
 */
export function batch(runs: readonly Run[]): Buffer {
  const texts = runs.map((run) => run.values.map(asText))
  let length = sync.length
  for (const [i, { name, parse }] of runs.entries())
    length += (parse?.length ?? 0) + bindLength(name, texts[i] ?? []) + execute.length
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  for (const [i, { name, parse }] of runs.entries()) {
    if (parse !== undefined) at += parse.copy(bytes, at)
    at = writeBind(bytes, at, name, texts[i] ?? [])
    at += execute.copy(bytes, at)
  }
  sync.copy(bytes, at)
  return bytes
}

/** Parse of `first`, the runs, then Parse of each statement in `rest`, closed by one Sync. */
export function preparation(first: Parse, runs: readonly Run[], rest: readonly Parse[]): Buffer {
  const running = batch(runs)
  return Buffer.concat([
    parse(first),
    running.subarray(0, running.length - sync.length),
    ...rest.map(parse),
    sync,
  ])
}

export type Parse = { readonly name: string; readonly text: string }

/** Bytes that make Postgres parse a statement. Unless the name is empty, Postgres keeps the statement under it. */
export function parse({ name, text }: Parse): Buffer {
  const body = Buffer.from(`${name}\0${text}\0\0\0`)
  const head = Buffer.allocUnsafe(5)
  head[0] = 0x50
  head.writeInt32BE(int32 + body.length, 1)
  return Buffer.concat([head, body])
}

function asText(value: Value): string | null {
  return value === null || typeof value === 'string' ? value : String(value)
}

function bindLength(name: string, values: readonly (string | null)[]): number {
  // code, length; unnamed portal, name; no parameter formats, values; no result formats
  let length = 1 + int32 + 1 + Buffer.byteLength(name) + 1 + int16 + int16 + int16
  for (const value of values) length += int32 + (value === null ? 0 : Buffer.byteLength(value))
  return length
}

function writeBind(bytes: Buffer, start: number, name: string, values: readonly (string | null)[]): number {
  let at = start + 1 + int32
  bytes[start] = 0x42
  bytes[at++] = 0
  at += bytes.write(name, at)
  bytes[at++] = 0
  at = bytes.writeInt16BE(0, at)
  at = bytes.writeInt16BE(values.length, at)
  for (const value of values) {
    if (value === null) {
      at = bytes.writeInt32BE(-1, at)
    } else {
      const length = bytes.write(value, at + int32)
      bytes.writeInt32BE(length, at)
      at += int32 + length
    }
  }
  at = bytes.writeInt16BE(0, at)
  bytes.writeInt32BE(at - start - 1, start + 1)
  return at
}
