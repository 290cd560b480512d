import type { ServerResponse } from 'node:http'
import type { MiddlewareHandler } from 'hono'
import type { Ask } from '../../api/operation.ts'
import type { AccessTokens } from '../../auth/access-token.ts'
import type { Principal } from '../../auth/principal.ts'
import type { Database } from '../../database/database.ts'
import { AppError, type ErrorCode } from '../../errors.ts'
import type { AnswerBudget, Held } from '../request/answer-budget.ts'
import type { Context, Env } from '../request/context.ts'
import type { RateLimit } from './rate-limit.ts'

type Gate = {
  tokens: AccessTokens
  database: Database
  /** Bounds the bytes of responses. */
  answers: AnswerBudget
  /** Counts what is not yet known to come from an owner. */
  perAddress: RateLimit | undefined
  perOwner: RateLimit | undefined
  /** Undefined where an app hands on no connection: then the app limits by address, or nobody does. */
  addressOf: (c: Context) => string | undefined
}

/**
 * Lets nobody past without a good token, and hands on who it is: the `Principal`, and `ask` bound to it.
 * What follows cannot name another owner.
 *
 * A token that was verified before passes at once. Any other request first counts against its address, and one that
 * turns out to be an owner's is given back. An address beyond its limit still gets in with a good token, as long as the
 * process has signature checks left for it; whatever else it sends is `rate_limited`.
 *
 * @throws AppError as `AccessTokens.authenticate` does, and `rate_limited`.
 */
export function authenticate(gate: Gate): MiddlewareHandler<Env> {
  return async (c, next) => {
    const values = authorizationValues(c)
    const principal = gate.tokens.known(values) ?? (await identify(gate, c, values))
    c.set('principal', principal)
    const refuse = await gate.perOwner?.take(c, principal.id)
    if (refuse !== undefined) throw refuse()
    const gone = () => c.env?.incoming?.socket.destroyed ?? false
    const held = gate.answers.hold(principal.id)
    c.set('held', held)
    const ask: Ask = (...asked) => {
      held.expect(expectedBytes(asked.reduce((sum, { weight }) => sum + weight, 0)))
      return gate.database.ask(principal.id, asked, gone)
    }
    c.set('ask', ask)
    await next()
    releaseWhenRead(held, c.env?.outgoing)
  }
}

/** What a statement answers as a rule, by its weight. A weight also counts rows that are skipped, hence the bound. */
function expectedBytes(weight: number): number {
  return 1_000 * Math.min(weight, 16)
}

/** A shorter response fits into the buffers of a connection, which hold one response each. */
const heldUntilRead = 16_384

function releaseWhenRead(held: Held, response: ServerResponse | undefined): void {
  const gone = response === undefined || response.closed || response.destroyed
  // A caller that hung up earlier causes no further event.
  if (gone || held.bytes < heldUntilRead) held.release()
  else response.once('close', held.free)
}

/** What an address beyond its limit is told as well: each says that the token is genuine, or that nobody looked at it. */
const toldBeyond: readonly ErrorCode[] = ['token_expired', 'forbidden', 'unavailable', 'rate_limited']

async function identify(gate: Gate, c: Context, values: readonly string[]): Promise<Principal> {
  const address = gate.addressOf(c)
  if (address === undefined) return gate.tokens.authenticate(values)
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
