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
  /** Counts requests that are not yet known to come from an owner. */
  perAddress: RateLimit | undefined
  perOwner: RateLimit | undefined
  /** Undefined where an app passes no connection. Then only the app can limit by address. */
  addressOf: (c: Context) => string | undefined
}

/**
 * Refuses every request without a valid token. It passes on the `Principal`, and `ask` bound to it. Later code cannot
 * name another owner.
 *
 * A cached token passes at once. Any other request first counts against its address. If it has a valid token, the
 * count is given back. An address beyond its limit still passes with a valid token, while the process has signature
 * checks left. Its other requests are `rate_limited`.
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

/** The typical response bytes of a statement, by its weight. A weight also counts skipped rows, hence the bound. */
function expectedBytes(weight: number): number {
  return 1_000 * Math.min(weight, 16)
}

/** A shorter response fits into the connection's buffers, which hold one response each. */
const heldUntilRead = 16_384

function releaseWhenRead(held: Held, response: ServerResponse | undefined): void {
  const gone = response === undefined || response.closed || response.destroyed
  // A connection that closed earlier emits no further event.
  if (gone || held.bytes < heldUntilRead) held.release()
  else response.once('close', held.free)
}

/** Failures that an address beyond its limit still sees. Each means that the token is genuine, or was not checked. */
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
 * Every Authorization header of the request. Node keeps the first of several and hides the rest. `fetch` joins them
 * with a comma, which no JWT has.
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
