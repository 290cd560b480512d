import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Env } from '../http/context.ts'
import { addOperation } from '../http/operation.ts'
import { respondJson } from '../http/respond.ts'

/** What readiness is made of: the last known state of each, from memory. */
export type Readiness = { database: boolean; isolation: boolean; keys: boolean; serving: boolean }

const Live = z.object({ status: z.literal('ok') }).openapi('Live')
const Ready = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    database: z.boolean().openapi({ description: 'The last attempt to reach the database succeeded.' }),
    isolation: z.boolean().openapi({
      description:
        'Rights and policies in the database are those that the migrations made, as of the last connection opened.',
    }),
    keys: z.boolean().openapi({ description: 'The keys that verify tokens were loaded at least once.' }),
    serving: z.boolean().openapi({ description: 'False while the server is stopping.' }),
  })
  .openapi('Ready')

/** Liveness says that the process runs; readiness what it last knew. Neither asks the database, which may sleep. */
export function addHealth(app: OpenAPIHono<Env>, readiness: () => Readiness): void {
  addOperation(app, {
    method: 'get',
    path: '/livez',
    id: 'getLiveness',
    tag: 'Server',
    summary: 'Is the process up?',
    open: true,
    success: { 200: { description: 'It is', content: { 'application/json': { schema: Live } } } },
    handle: (c) => respondJson(c, 200, '{"status":"ok"}'),
  })
  for (const [path, id, summary] of [
    ['/readyz', 'getReadiness', 'Is it ready to serve?'],
    ['/health', 'getHealth', 'The same as /readyz, under another name'],
  ] as const)
    addOperation(app, {
      method: 'get',
      path,
      id,
      tag: 'Server',
      summary,
      open: true,
      success: {
        200: { description: 'It is', content: { 'application/json': { schema: Ready } } },
        503: { description: 'Not now', content: { 'application/json': { schema: Ready } } },
      },
      handle: (c) => {
        const state = readiness()
        const ok = state.database && state.isolation && state.keys && state.serving
        const body = JSON.stringify({ status: ok ? 'ok' : 'unavailable', ...state })
        return ok ? respondJson(c, 200, body) : respondJson(c, 503, body, { 'retry-after': '1' })
      },
    })
}
