import { z } from '../../api/schema.ts'
import { respondJson } from '../answer/respond.ts'
import type { OpenRoute } from './open-route.ts'
import { openapiPath } from './openapi.ts'

const Links = z
  .object({ docs: z.string(), openapi: z.string(), health: z.string(), api: z.string() })
  .openapi('Links', { description: 'Paths on this origin.' })

/** The pages about the API are in its document too. So readers find them there, and they answer 405 like all paths. */
export const documentationRoutes = (basePath: string): readonly OpenRoute[] => [
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
  {
    id: 'getLinks',
    path: '/',
    summary: 'Where everything is',
    responses: { 200: { description: 'Paths', content: { 'application/json': { schema: Links } } } },
    handle: (c) =>
      respondJson(
        c,
        200,
        JSON.stringify({ docs: '/docs', openapi: openapiPath, health: '/health', api: basePath }),
      ),
  },
]
