import { AppError } from '../../errors.ts'
import type { Context } from './context.ts'
import { parseJson } from './json.ts'

/** Longest request body in bytes on the wire: 256 kB, enough for the longest resource in any spelling of JSON. */
export const bodyLimitBytes = 256_000

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const jsonType = /^application\/(?:json|[a-z0-9.!#$&^_-]+\+json)\s*(?:;\s*charset=(?:utf-8|"utf-8")\s*)?$/i

/**
 * The body as a JSON value, counted while it arrives.
 *
 * @throws AppError `unsupported_media_type`, `payload_too_large`, or `malformed_request`. The last is for a body that
 * ends early, is not UTF-8, starts with a byte order mark, or is refused by `parseJson`.
 */
export async function readJson(c: Context): Promise<unknown> {
  const type = c.req.header('content-type') ?? ''
  // No accepted type has a comma. A comma means that several headers were joined.
  if (type.includes(',')) throw new AppError('malformed_request', 'Send exactly one Content-Type header.')
  if (!jsonType.test(type))
    throw new AppError(
      'unsupported_media_type',
      'Send the body as JSON in UTF-8, with Content-Type: application/json.',
    )
  const coding = c.req.header('content-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    throw new AppError('unsupported_media_type', 'Send the body without a content coding.')
  return parseJson(decode(await readBytes(c).catch(endedEarly)))
}

/** The connection was lost, or the body is not as announced. Neither is a defect of ours. */
function endedEarly(error: unknown): never {
  if (error instanceof AppError) throw error
  throw new AppError('malformed_request', 'The body ended before it was complete.', { cause: error })
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new AppError('malformed_request', 'The body is not valid UTF-8.')
  }
}

/**
 * The body, counted while it arrives, regardless of the declared length.
 * @throws AppError `payload_too_large`; rejects with the connection's error when the body ends early.
 */
export async function readBytes(c: Context): Promise<Uint8Array> {
  const declared = c.req.header('content-length')
  if (declared !== undefined) {
    if (Number(declared) > bodyLimitBytes) throw tooLarge()
    // Node's parser enforces the declared length. Elsewhere the length is checked below.
    const bytes = new Uint8Array(await c.req.arrayBuffer())
    if (bytes.length > bodyLimitBytes) throw tooLarge()
    return bytes
  }
  let bytes = Buffer.allocUnsafe(4_096)
  let length = 0
  // Copied, because a caller may send chunks of one byte, and each would stay an object of its own.
  for await (const chunk of chunksOf(c)) {
    if (length + chunk.length > bodyLimitBytes) throw tooLarge()
    if (length + chunk.length > bytes.length)
      bytes = Buffer.concat(
        [bytes.subarray(0, length)],
        Math.min(bodyLimitBytes, 2 * (length + chunk.length)),
      )
    bytes.set(chunk, length)
    length += chunk.length
  }
  return bytes.subarray(0, length)
}

/** Leaves the connection open when the reader stops early: the refusal has to reach the caller. */
function chunksOf(c: Context): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return c.env?.incoming?.iterator({ destroyOnReturn: false }) ?? c.req.raw.body ?? []
}

function tooLarge(): AppError {
  return new AppError('payload_too_large', 'The body is over 256 kB (256,000 bytes); send a smaller one.')
}
