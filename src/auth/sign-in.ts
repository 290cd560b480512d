import type { Handler } from 'hono'
import type { Logger } from 'pino'
import { databaseUnavailable } from '../database/failures.ts'
import { record } from '../events.ts'
import type { Env } from '../http/context.ts'
import type { BuiltInIssuer } from './built-in-issuer.ts'

/**
 * Everything under `/api/auth`, answered by the built-in issuer; a refused sign-in is noted, without who it was.
 * @throws AppError `unavailable` when its database is out of reach.
 */
export function signIn(issuer: BuiltInIssuer, log: Logger): Handler<Env> {
  return async (c) => {
    const answer = await issuer.handler(c.req.raw).catch((error: unknown) => {
      throw databaseUnavailable(error)
    })
    const refused = answer.status === 401 || answer.status === 403
    if (refused && c.req.path.includes('/sign-in/'))
      record(log, 'warn', 'login_failed', { status: answer.status })
    return answer
  }
}
