import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Env } from '../http/context.ts'
import { addOperation } from '../http/operation.ts'
import { respondJson } from '../http/respond.ts'

const Caller = z
  .object({
    id: z
      .string()
      .openapi({ description: "The token's subject, and `owner_id` of every task of the caller." }),
    issuer: z.string(),
    expires_at: z.iso.datetime().openapi({ description: 'When the token stops working.' }),
  })
  .openapi('Caller')

/** `GET /me`: who the token says is calling; from the token alone, without the database. */
export function addCaller(app: OpenAPIHono<Env>): void {
  addOperation(app, {
    method: 'get',
    path: '/api/v1/me',
    id: 'getCaller',
    tag: 'Caller',
    summary: 'Who am I?',
    success: {
      200: { description: 'The caller', content: { 'application/json': { schema: Caller } } },
    },
    handle: (c) => {
      const { id, issuer, expiresAt } = c.var.principal
      return respondJson(
        c,
        200,
        JSON.stringify({ id, issuer, expires_at: new Date(expiresAt * 1000).toISOString() }),
      )
    },
  })
}
