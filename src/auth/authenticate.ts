import type { MiddlewareHandler } from 'hono'
import type { Database } from '../database/client.ts'
import type { Context, Env } from '../http/context.ts'
import type { AccessTokens } from './access-token.ts'

/**
 * Lets nobody past without a good token, and hands on who it is: the `Principal`, and `asOwner` bound to it.
 * What follows cannot name another owner.
 *
 * @throws AppError as `AccessTokens.authenticate` does.
 */
export function authenticate(tokens: AccessTokens, database: Database): MiddlewareHandler<Env> {
  return async (c, next) => {
    const checked = tokens.authenticate(authorizationValues(c))
    const principal = checked instanceof Promise ? await checked : checked
    c.set('principal', principal)
    c.set('asOwner', (statement, input) => database.asOwner(principal.id, statement, input))
    await next()
  }
}

/**
 * Every Authorization header of the request. Node keeps the first of several and hides the rest, `fetch` joins
 * them with a comma, which no JWT has.
 */
function authorizationValues(c: Context): readonly string[] {
  const incoming = c.env?.incoming
  if (incoming === undefined) return c.req.header('authorization')?.split(',') ?? []
  const { rawHeaders } = incoming
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() === 'authorization') values.push(rawHeaders[i + 1] ?? '')
  return values
}
