import type { MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import { isCounted } from '../../events/sums.ts'
import { record } from '../../events.ts'
import { respond } from '../answer/respond.ts'
import type { Context, Env } from '../request/context.ts'

const exposed = 'Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id'
const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const requestHeaders = 'Authorization, Content-Type, X-Request-Id'

const advice =
  'A browser keeps this answer from its page. If the page is yours, add its origin to CORS_ORIGINS, exactly as the ' +
  'console of the browser shows it: localhost and 127.0.0.1 differ, and so do ports. The setting replaces its default.'

/**
 * Allows cross-origin reads for exactly the configured origins. All others are refused, `null` among them. Cookies are
 * never allowed, nor access from a public site to a private network. Every response has `Vary: Origin`, so that no
 * cache mixes origins. A refused origin is logged without its name; repeats are summed up.
 * https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export function cors(origins: readonly string[], log: Logger): MiddlewareHandler<Env> {
  const allowed = new Set(origins)
  return async (c, next) => {
    const origin = c.req.header('origin')
    if (origin === undefined) return next()
    if (!allowed.has(origin)) {
      await next()
      if (!isOwn(c, origin)) noteRefusal(log, c)
      return
    }
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

/**
 * True if the page has this server's origin, or its browser says so. Behind a proxy the scheme differs, and the proxy
 * may have changed the host.
 */
function isOwn(c: Context, origin: string): boolean {
  const host = URL.parse(origin)?.host
  const isOurs = host !== undefined && host === URL.parse(c.req.url)?.host
  return isOurs || c.req.header('sec-fetch-site') === 'same-origin'
}

function noteRefusal(log: Logger, c: Context): void {
  const kind = { status: c.res.status, code: undefined, reason: 'origin_refused' }
  if (!isCounted(log, 'warn', kind))
    record(log, 'warn', 'origin_refused', { request_id: c.get('requestId'), advice })
}
