import type { MiddlewareHandler } from 'hono'
import type { Database } from '../database/client.ts'
import type { Context, Env } from '../http/context.ts'
import type { RateLimit } from '../http/rate-limit.ts'
import { UnreadAnswers } from '../http/unread-answers.ts'
import type { AccessTokens, Principal } from './access-token.ts'

type Gate = {
  tokens: AccessTokens
  database: Database
  /** Counts what is not yet known to come from an owner. */
  perAddress: RateLimit | undefined
  perOwner: RateLimit | undefined
  /** Undefined where an app hands on no connection: then the app limits by address, or nobody does. */
  addressOf: (c: Context) => string | undefined
}

/**
 * Lets nobody past without a good token, and hands on who it is: the `Principal`, and `asOwner` bound to it.
 * What follows cannot name another owner.
 *
 * A token that was verified before passes at once. Any other request first counts against its address, so that
 * refusals and signature checks are bounded; one that turns out to be an owner's is given back.
 *
 * @throws AppError as `AccessTokens.authenticate` does, and `rate_limited`.
 */
export function authenticate(gate: Gate): MiddlewareHandler<Env> {
  const unread = new UnreadAnswers()
  return async (c, next) => {
    const values = authorizationValues(c)
    const principal = gate.tokens.known(values) ?? (await identify(gate, c, values))
    c.set('principal', principal)
    unread.refuse(principal.id)
    if (gate.perOwner !== undefined) await gate.perOwner.take(c, principal.id)
    const gone = () => c.env?.incoming?.socket.destroyed ?? false
    c.set('asOwner', (statement, input) => gate.database.asOwner(principal.id, statement, input, gone))
    await next()
    const answer = c.env?.outgoing
    if (answer !== undefined && c.get('large')) unread.note(principal.id, answer)
  }
}

async function identify(gate: Gate, c: Context, values: readonly string[]): Promise<Principal> {
  const address = gate.addressOf(c)
  if (address === undefined) return gate.tokens.authenticate(values)
  await gate.perAddress?.take(c, address)
  const principal = await gate.tokens.authenticate(values)
  gate.perAddress?.giveBack(address)
  return principal
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
