import type { Context } from '../request/context.ts'

/**
 * The headers of every response, errors included. They forbid caching, content sniffing, framing and scripts. A cache
 * that ignores this still keeps origins apart. In production the host is for HTTPS only (RFC 6797).
 */
export function everyResponse(requestId: string, production = false): Record<string, string> {
  const headers: Record<string, string> = {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    vary: 'Origin',
  }
  if (production) headers['strict-transport-security'] = 'max-age=31536000; includeSubDomains'
  return headers
}

/**
 * Makes a response with the headers that every response has. JSON that Postgres built is sent unchanged. A string and
 * a plain object of headers keep the server on its fast path.
 */
export function respond(
  c: Context,
  status: number,
  body: string | Uint8Array<ArrayBuffer> | null,
  headers?: Readonly<Record<string, string>>,
): Response {
  const held = c.get('held')
  const sent = held === undefined ? body : held.settle(body)
  // Each read of `c.var` copies all variables; `c.get` does not.
  return new Response(sent, { status, headers: { ...c.get('headers'), ...headers } })
}

const json = { 'content-type': 'application/json' } as const

export function respondJson(
  c: Context,
  status: number,
  body: string | Uint8Array<ArrayBuffer>,
  headers?: Readonly<Record<string, string>>,
): Response {
  return respond(c, status, body, headers === undefined ? json : { ...json, ...headers })
}
