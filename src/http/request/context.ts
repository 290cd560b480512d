import type { HttpBindings } from '@hono/node-server'
import type { Context as HonoContext } from 'hono'
import type { Ask } from '../../api/operation.ts'
import type { Principal } from '../../auth/principal.ts'
import type { Held } from './answer-budget.ts'

/** Variables of a request. Each is set by the middleware of its name. */
export type Env = {
  /** Present when Node's own server carries the request, absent where only `fetch` exists. */
  Bindings: Partial<HttpBindings>
  Variables: {
    requestId: string
    /** Headers of every response, whichever part makes it. */
    headers: Record<string, string>
    principal: Principal
    ask: Ask
    /** The response's part of the budget; only behind authentication. */
    held: Held | undefined
    /** The failure, for the one log line of the request. */
    failure: unknown
  }
}

export type Context = HonoContext<Env>
