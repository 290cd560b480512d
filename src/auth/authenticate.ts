import type { MiddlewareHandler } from 'hono'
import type { Database } from '../database/client.ts'
import { AppError, type ErrorCode } from '../errors.ts'
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
  addressOf: (c: Context) => string
}

/**
 * Lets nobody past without a good token, and hands on who it is: the `Principal`, and `asOwner` bound to it.
 * What follows cannot name another owner.
 *
 * A token that was verified before passes at once. Any other request first counts against its address, and one that
 * turns out to be an owner's is given back. An address beyond its limit still gets in with a good token, as long as the
 * process has signature checks left for it; whatever else it sends is `rate_limited`.
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
    const refuse = await gate.perOwner?.take(c, principal.id)
    if (refuse !== undefined) throw refuse()
    const gone = () => c.env?.incoming?.socket.destroyed ?? false
    c.set('asOwner', (statement, input) => gate.database.asOwner(principal.id, statement, input, gone))
    await next()
    const answer = c.env?.outgoing
    if (answer !== undefined && c.get('large')) unread.note(principal.id, answer)
  }
}

/** What an address beyond its limit is told as well: each says that the token is genuine, or that nobody looked at it. */
const toldBeyond: readonly ErrorCode[] = ['token_expired', 'forbidden', 'unavailable', 'rate_limited']

async function identify(gate: Gate, c: Context, values: readonly string[]): Promise<Principal> {
  const address = gate.addressOf(c)
  const refuse = await gate.perAddress?.take(c, address)
  try {
    const principal = await gate.tokens.authenticate(values, refuse !== undefined)
    gate.perAddress?.giveBack(address)
    return principal
  } catch (error) {
    if (refuse === undefined || !(error instanceof AppError) || toldBeyond.includes(error.code)) throw error
    throw refuse()
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
