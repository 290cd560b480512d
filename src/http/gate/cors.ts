import type { MiddlewareHandler } from 'hono'
import { respond } from '../answer/respond.ts'
import type { Env } from '../request/context.ts'

const exposed = 'Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id'
const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const requestHeaders = 'Authorization, Content-Type, X-Request-Id'

/**
 * Cross-origin reads for exactly the configured origins, and no others, `null` among them; never with cookies, never
 * from a public site into a private network. Every response says `Vary: Origin`, so that no cache mixes them.
 * https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export function cors(origins: readonly string[]): MiddlewareHandler<Env> {
  const allowed = new Set(origins)
  return async (c, next) => {
    const origin = c.req.header('origin')
    if (origin === undefined || !allowed.has(origin)) return next()
    c.var.headers['access-control-allow-origin'] = origin
    c.var.headers['access-control-expose-headers'] = exposed
    if (c.req.method !== 'OPTIONS' || c.req.header('access-control-request-method') === undefined)
      return next()
    return respond(c, 204, null, {
      'access-control-allow-methods': methods,
      'access-control-allow-headers': requestHeaders,
      'access-control-max-age': '7200',
    })
  }
}
