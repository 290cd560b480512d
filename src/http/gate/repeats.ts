import { routePath } from 'hono/route'
import { AppError } from '../../errors.ts'
import type { Kind } from '../../events/sums.ts'
import type { Context } from '../request/context.ts'

const readingMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** What an owner can be refused for without anything having been looked up. The rest says something about their data. */
const refusedUnseen: readonly number[] = [400, 405, 413, 415, 422, 429]

/**
 * The kind of an answer whose repeats are only counted: one that did nothing and that its caller can have in any number.
 * Those are all answers without an owner, and refusals that are the same for every owner. Undefined for defects, for
 * sign-ins that succeeded, and for whatever an owner read, wrote or missed: each of these has its own line.
 */
export function repeatOf(c: Context, status: number): Kind | undefined {
  const isOwners = c.get('principal') !== undefined
  if (status === 500 || (isOwners && status < 400)) return undefined
  const failure = c.get('failure')
  const { code, reason } = failure instanceof AppError ? failure : {}
  const route = routePath(c, -1)
  const repeats = isOwners
    ? refusedUnseen.includes(status) ||
      (status === 404 && route.endsWith('*')) ||
      (status === 503 && reason?.startsWith('overload_'))
    : status >= 400 || readingMethods.includes(c.req.method)
  if (!repeats) return undefined
  return reason === undefined ? { status, code, route } : { status, code, reason }
}
