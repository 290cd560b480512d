import type { Value } from './statement.ts'

/**
 * The frontend messages that Docket sends, as bytes.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * Each takes its values in text format and asks for text back; the columns are known, so nothing is described.
 */

/** A statement known to the connection by its name, and the values for this once. */
export type Call = { readonly name: string; readonly values: readonly Value[] }

const execute = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0])
const sync = Buffer.from([0x53, 0, 0, 0, 4])
const int16 = 2
const int32 = 4

/**
 * Bind and Execute for each call, closed by one Sync: what Postgres runs as one implicit transaction.
 * An error in any of them undoes all, and the Sync is where the next batch on the connection starts afresh.
 */
export function batch(calls: readonly Call[]): Buffer {
  const texts = calls.map((call) => call.values.map(asText))
  let length = sync.length
  for (const [i, call] of calls.entries()) length += bindLength(call.name, texts[i] ?? []) + execute.length
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  for (const [i, call] of calls.entries()) {
    at = writeBind(bytes, at, call.name, texts[i] ?? [])
    at += execute.copy(bytes, at)
  }
  sync.copy(bytes, at)
  return bytes
}

/** A statement that the connection has not seen, as the bytes of its Parse, and the values for this once. */
export type ParsedCall = { readonly parse: Buffer; readonly values: readonly Value[] }

/**
 * As `batch`, for a connection that keeps no names: each statement is parsed anew, without one, before it is bound.
 * The Parse must be one of `parse({ name: '', … })`.
 */
export function unnamedBatch(calls: readonly ParsedCall[]): Buffer {
  const pieces = calls.flatMap(({ parse, values }) => {
    const bound = batch([{ name: '', values }])
    return [parse, bound.subarray(0, bound.length - sync.length)]
  })
  return Buffer.concat([...pieces, sync])
}

/** Parse for each statement, behind the calls given, closed by one Sync. */
export function preparation(first: Parse, calls: readonly Call[], rest: readonly Parse[]): Buffer {
  const running = batch(calls)
  return Buffer.concat([
    parse(first),
    running.subarray(0, running.length - sync.length),
    ...rest.map(parse),
    sync,
  ])
}

export type Parse = { readonly name: string; readonly text: string }

/** The bytes that have Postgres read a statement and, unless the name is empty, keep it under that name. */
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
