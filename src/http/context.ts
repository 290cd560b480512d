import type { HttpBindings } from '@hono/node-server'
import type { Context as HonoContext } from 'hono'
import type { Principal } from '../auth/access-token.ts'
import type { Statement } from '../database/statement.ts'
import type { Held } from './answer-budget.ts'

/** Runs a statement as the caller. The only door to rows that a handler has. */
export type AsOwner = <Input, Result>(statement: Statement<Input, Result>, input: Input) => Promise<Result>

/** What travels with a request, each set by the middleware of its name. */
export type Env = {
  /** Present when Node's own server carries the request; absent where only `fetch` exists. */
  Bindings: Partial<HttpBindings>
  Variables: {
    requestId: string
    /** Headers of every response, whoever makes it. */
    headers: Record<string, string>
    principal: Principal
    asOwner: AsOwner
    /** What the response holds of the budget; only behind authentication. */
    held: Held | undefined
    /** What went wrong, for the one log line of the request. */
    failure: unknown
  }
}

export type Context = HonoContext<Env>
