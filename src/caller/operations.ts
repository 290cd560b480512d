import { encode } from '../api/answer.ts'
import { operation } from '../api/operation.ts'
import { z } from '../api/schema.ts'

const Caller = z
  .object({
    id: z
      .string()
      .openapi({ description: "The token's subject. It is the `owner_id` of all that the caller owns." }),
    issuer: z.string(),
    expires_at: z.iso.datetime().openapi({ description: 'When the token stops working.' }),
  })
  .openapi('Caller')

/** Returns the identity of the token. It needs no database. */
export const callerOperations = [
  operation({
    id: 'getCaller',
    method: 'get',
    path: '/me',
    tag: { name: 'Caller', description: 'Who the token says is calling.' },
    summary: 'Who am I?',
    successes: [{ status: 200, description: 'The caller', body: Caller }],
    handle: ({ caller: { id, issuer, expiresAt } }) => ({
      status: 200,
      body: encode({ id, issuer, expires_at: new Date(expiresAt * 1000).toISOString() }),
    }),
  }),
]
