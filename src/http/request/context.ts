import type { HttpBindings } from '@hono/node-server'
import type { Context as HonoContext } from 'hono'
import type { Ask } from '../../api/operation.ts'
import type { Principal } from '../../auth/principal.ts'
import type { Held } from './answer-budget.ts'

/** What travels with a request, each set by the middleware of its name. */
export type Env = {
  /** Present when Node's own server carries the request; absent where only `fetch` exists. */
  Bindings: Partial<HttpBindings>
  Variables: {
    requestId: string
    /** Headers of every response, whoever makes it. */
    headers: Record<string, string>
    principal: Principal
    ask: Ask
    /** What the response holds of the budget; only behind authentication. */
    held: Held | undefined
    /** What went wrong, for the one log line of the request. */
    failure: unknown
  }
}

export type Context = HonoContext<Env>
