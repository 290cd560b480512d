import { routePath } from 'hono/route'
import { AppError } from '../../errors.ts'
import type { Kind } from '../../events/sums.ts'
import type { Context } from '../request/context.ts'

const readingMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** Statuses that an owner can get without any lookup. Other refusals reveal something about the owner's data. */
const refusedUnseen: readonly number[] = [400, 405, 413, 415, 422, 429]

/**
 * The kind of an answer whose repeats are only counted. Such a request did nothing, and can be repeated without limit.
 * These are answers without an owner, and refusals that are the same for every owner.
 *
 * Undefined for answers that have a line each: defects, successful sign-ins, and anything an owner read, wrote or
 * missed.
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
