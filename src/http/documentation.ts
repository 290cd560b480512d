import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Env } from './context.ts'
import { openapiPath } from './openapi.ts'
import { failureResponses } from './operation.ts'

/** Puts the pages about the API into its document too, so that they are found there and answer 405 like the rest. */
export function documentDocumentation(app: OpenAPIHono<Env>): void {
  const shared = { method: 'get' as const, tags: ['Server'], security: [] }
  app.openAPIRegistry.registerPath({
    ...shared,
    path: openapiPath,
    operationId: 'getOpenapi',
    summary: 'This document',
    responses: {
      ...failureResponses(),
      200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: z.looseObject({}) } } },
    },
  })
  app.openAPIRegistry.registerPath({
    ...shared,
    path: '/docs',
    operationId: 'getDocs',
    summary: 'A page that shows this document and can call the API',
    responses: {
      ...failureResponses(),
      200: { description: 'The page', content: { 'text/html': { schema: z.string() } } },
    },
  })
}
