import type { IncomingMessage } from 'node:http'
import type { MiddlewareHandler } from 'hono'
import { AppError } from '../../errors.ts'
import type { Env } from '../request/context.ts'
import { wireLimits } from '../request/wire-limits.ts'
import { type TargetFault, targetFault } from './request-target.ts'

type HeadFault = 'header_count' | 'http_version' | 'transfer_coding' | 'host_count'

const sentences: Readonly<Record<HeadFault | TargetFault, string>> = {
  header_count: `Send at most ${wireLimits.headers} headers.`,
  http_version: 'Send the request as HTTP/1.1.',
  transfer_coding: 'Send the body with Content-Length, or in chunks and no other transfer coding.',
  host_count: 'Send exactly one Host header.',
  target_form: 'Ask for a path that starts with a slash, without host or fragment.',
  target_encoding: 'The percent-encoding of the URL is not valid UTF-8.',
  target_hidden: 'Send no NUL, dot, slash or backslash percent-encoded in the path.',
  target_dots: 'Send the path without "." and ".." segments.',
}

/**
 * Refuses a request whose head is ambiguous, and closes the connection, because the next bytes may not be a request.
 * Only Node's own server passes the whole head. Behind another server's `fetch` only the target can be checked.
 *
 * @throws AppError `malformed_request`.
 */
export const readableHead: MiddlewareHandler<Env> = (c, next) => {
  const incoming = c.env?.incoming
  const fault =
    incoming === undefined
      ? targetFault(c.req.url.slice(c.req.url.indexOf('/', 'https://'.length)))
      : (headFault(incoming) ?? targetFault(incoming.url ?? ''))
  if (fault === undefined) return next()
  throw new AppError('malformed_request', sentences[fault], {
    reason: fault,
    headers: { connection: 'close' },
  })
}

/**
 * Node's parser accepts all of these. It keeps the first of several Hosts, and reads `gzip, chunked` as if it were not
 * zipped.
 */
function headFault({ httpVersion, headers, rawHeaders }: IncomingMessage): HeadFault | undefined {
  if (rawHeaders.length > wireLimits.headers * 2) return 'header_count'
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'http_version'
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || httpVersion === '1.0'))
    return 'transfer_coding'
  const hosts = hostsIn(rawHeaders)
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0') ? undefined : 'host_count'
}

function hostsIn(rawHeaders: readonly string[]): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}
