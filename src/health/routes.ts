import { z } from '../api/schema.ts'
import { respondJson } from '../http/answer/respond.ts'
import type { OpenRoute } from '../http/docs/open-route.ts'

/** The parts of readiness: the last known state of each, from memory. */
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

const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
})

/**
 * Liveness means that the process runs. Readiness is its last known state. Neither queries the database, which may
 * sleep.
 */
export function healthRoutes(readiness: () => Readiness): readonly OpenRoute[] {
  const ready: Pick<OpenRoute, 'responses' | 'handle'> = {
    responses: { 200: json('It is', Ready), 503: json('Not now', Ready) },
    handle: (c) => {
      const state = readiness()
      const ok = state.database && state.isolation && state.keys && state.serving
      const body = JSON.stringify({ status: ok ? 'ok' : 'unavailable', ...state })
      return ok ? respondJson(c, 200, body) : respondJson(c, 503, body, { 'retry-after': '1' })
    },
  }
  return [
    {
      id: 'getLiveness',
      path: '/livez',
      summary: 'Is the process up?',
      responses: { 200: json('It is', Live) },
      handle: (c) => respondJson(c, 200, '{"status":"ok"}'),
    },
    { id: 'getReadiness', path: '/readyz', summary: 'Is it ready to serve?', ...ready },
    { id: 'getHealth', path: '/health', summary: 'The same as /readyz, under another name', ...ready },
  ]
}
