import type { MiddlewareHandler } from 'hono'
import { AppError } from '../errors.ts'
import type { Env } from './context.ts'

/**
 * Refuses what two readers could read differently: percent-encoding that is broken or is no UTF-8, encoded NUL, slash, dot
 * segment or backslash. What passes is the same path to the router, to authentication and to the log.
 *
 * @throws AppError `malformed_request`.
 */
export const readableTarget: MiddlewareHandler<Env> = async (c, next) => {
  const target = c.env?.incoming?.url ?? c.req.url
  if (target.includes('%') && !readable(target))
    throw new AppError('malformed_request', 'The percent-encoding of the URL is not valid.')
  await next()
}

function readable(target: string): boolean {
  try {
    decodeURIComponent(target)
  } catch {
    return false
  }
  const [path = ''] = target.split('?', 1)
  return !/%(?:00|2e|2f|5c)/i.test(path)
}
