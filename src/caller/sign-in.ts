import type { Handler } from 'hono'
import type { Logger } from 'pino'
import type { BuiltInIssuer } from '../auth/built-in/built-in-issuer.ts'
import { databaseUnavailable } from '../database/failures/failures.ts'
import { record } from '../events.ts'
import { readBytes } from '../http/request/body.ts'
import type { Context, Env } from '../http/request/context.ts'

/**
 * Passes everything under `/api/auth` to the built-in issuer. A refused sign-in is logged without the user.
 * @throws AppError `unavailable` when its database is unreachable, `payload_too_large` as everywhere.
 */
export function signIn(issuer: BuiltInIssuer, log: Logger): Handler<Env> {
  return async (c) => {
    const answer = await issuer.handler(await bounded(c)).catch((error: unknown) => {
      throw databaseUnavailable(error)
    })
    const refused = answer.status === 401 || answer.status === 403
    if (refused && c.req.path.includes('/sign-in/'))
      record(log, 'warn', 'login_failed', { status: answer.status })
    return answer
  }
}

/**
 * Fresh tokens of the demo user.
 * @throws AppError `unavailable` when the issuer's database is unreachable.
 */
export function demoTokens(issuer: BuiltInIssuer): () => Promise<string> {
  return () =>
    issuer.demoToken().catch((error: unknown) => {
      throw databaseUnavailable(error)
    })
}

/** The request with a bounded body, because Better Auth reads a body of any length. */
async function bounded(c: Context): Promise<Request> {
  const { raw } = c.req
  if (raw.method !== 'POST') return raw
  return new Request(raw.url, { method: 'POST', headers: raw.headers, body: Buffer.from(await readBytes(c)) })
}
