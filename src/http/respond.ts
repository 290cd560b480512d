import type { Context } from './context.ts'

/** The headers of every response, errors included. */
export function everyResponse(requestId: string): Record<string, string> {
  return {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }
}

/**
 * Makes a response with the headers that every response has. JSON that Postgres already built goes out as it is.
 * A plain object of headers and a string keep the server on its fast path.
 */
export function respond(
  c: Context,
  status: number,
  body: string | null,
  headers?: Readonly<Record<string, string>>,
): Response {
  return new Response(body, { status, headers: { ...c.var.headers, ...headers } })
}

const json = { 'content-type': 'application/json' } as const

export function respondJson(
  c: Context,
  status: number,
  body: string,
  headers?: Readonly<Record<string, string>>,
): Response {
  return respond(c, status, body, headers === undefined ? json : { ...json, ...headers })
}
