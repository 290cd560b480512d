import { z } from '../../api/schema.ts'
import type { OpenRoute } from './open-route.ts'
import { openapiPath } from './openapi.ts'

/** The pages about the API stand in its document too, so that they are found there and answer 405 like the rest. */
export const documentationRoutes: readonly OpenRoute[] = [
  {
    id: 'getOpenapi',
    path: openapiPath,
    summary: 'This document',
    responses: {
      200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: z.looseObject({}) } } },
    },
  },
  {
    id: 'getDocs',
    path: '/docs',
    summary: 'A page that shows this document and can call the API',
    responses: { 200: { description: 'The page', content: { 'text/html': { schema: z.string() } } } },
  },
]
