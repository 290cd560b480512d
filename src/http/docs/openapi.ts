import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi'
import type { Operation, Success } from '../../api/operation.ts'
import { z } from '../../api/schema.ts'
import type { ErrorCode } from '../../errors.ts'
import { Problem, problemKinds } from '../answer/problem.ts'
import type { OpenRoute } from './open-route.ts'

export const openapiPath = '/openapi.json'

/** Everything that answers requests, for one document. */
export type Surface = {
  readonly operations: readonly Operation[]
  readonly openRoutes: readonly OpenRoute[]
  readonly basePath: string
}

const description = (
  nouns: string,
) => `A to-do API in which everything belongs to the user in the token, and nobody can reach another's.

Send \`Authorization: Bearer <JWT>\`, a token of the Better Auth that this server trusts (\`GET /api/auth/token\`).
A resource that is missing, one of another owner and an id that is no UUID give the same 404 (${nouns}).
\`PUT\`, which could create it, answers 422 to an id that is no UUID.
Errors are RFC 9457 problem JSON. Switch on \`code\`.

The version of this document is that of the API, not that of the program.`

const serverTag = { name: 'Server', description: 'Health and documentation; no token needed.' }

/** The OpenAPI 3.1 document of a surface. */
export function openapiDocument({ operations, openRoutes, basePath }: Surface): object {
  const registry = new OpenAPIRegistry()
  registry.registerComponent('securitySchemes', 'bearerAuth', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: "A JWT from Better Auth's `jwt` plugin.",
  })
  for (const operation of operations) registry.registerPath(behindToken(operation, basePath))
  for (const route of openRoutes) registry.registerPath(withoutToken(route))
  const tags = [...new Map(operations.map(({ tag }) => [tag.name, tag])).values()]
  const sentences = [
    ...new Set(operations.flatMap(({ missing }) => (missing === undefined ? [] : [missing]))),
  ]
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Docket',
      version: '1.0.0',
      description: description(sentences.map((sentence) => `"${sentence}"`).join(', ')),
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    servers: [{ url: '/' }],
    tags: [...tags, serverTag],
  })
}

/** The failures that any operation without a token can have. */
const openFailures: readonly ErrorCode[] = ['malformed_request', 'internal']

/** The failures that any operation behind a token can have. */
const anyFailures: readonly ErrorCode[] = [
  'malformed_request',
  'unauthenticated',
  'invalid_token',
  'token_expired',
  'forbidden',
  'validation_failed',
  'rate_limited',
  'internal',
  'unavailable',
]

/** Further failures, of reading a body. */
const bodyFailures: readonly ErrorCode[] = ['payload_too_large', 'unsupported_media_type']

function behindToken(operation: Operation, basePath: string): RouteConfig {
  const { schemas, bodyTypes = [], tag } = operation
  const codes = [...anyFailures, ...(schemas.body ? bodyFailures : []), ...operation.failures]
  return {
    method: operation.method,
    path: basePath + operation.path,
    operationId: operation.id,
    tags: [tag.name],
    summary: operation.summary,
    ...(operation.description !== undefined && { description: operation.description }),
    security: [{ bearerAuth: [] }],
    request: {
      ...(schemas.params && { params: schemas.params }),
      ...(schemas.query && { query: schemas.query }),
      ...(schemas.body && {
        body: {
          required: true,
          content: contentOf(['application/json', ...bodyTypes], schemas.body),
        },
      }),
    },
    responses: {
      ...Object.fromEntries(operation.successes.map((success) => [success.status, responseOf(success)])),
      ...failureResponses([...new Set(codes)]),
    },
  }
}

function contentOf(types: readonly string[], schema: z.ZodType) {
  return Object.fromEntries(types.map((type) => [type, { schema }]))
}

function responseOf({ description, body, headers }: Success): RouteConfig['responses'][string] {
  return {
    description,
    ...(headers && {
      headers: z.object(
        Object.fromEntries(
          Object.entries(headers).map(([name, meaning]) => [
            name,
            z.string().optional().openapi({ description: meaning }),
          ]),
        ),
      ),
    }),
    ...(body && { content: contentOf(['application/json'], body) }),
  }
}

function withoutToken({ id, path, summary, params, responses, failures = [] }: OpenRoute): RouteConfig {
  return {
    method: 'get',
    path,
    operationId: id,
    tags: [serverTag.name],
    summary,
    security: [],
    request: params === undefined ? {} : { params },
    responses: { ...responses, ...failureResponses([...openFailures, ...failures]) },
  }
}

/** The failures in the document: one response for each status, with the codes it can carry. */
function failureResponses(codes: readonly ErrorCode[]): RouteConfig['responses'] {
  const statuses = [...new Set(codes.map((code) => problemKinds[code].status))].sort()
  const responses = statuses.map((status) => {
    const meant = codes.filter((code) => problemKinds[code].status === status)
    const description = meant.map((code) => `\`${code}\`: ${problemKinds[code].when}`).join('\n\n')
    return [status, { description, content: { 'application/problem+json': { schema: Problem } } }] as const
  })
  return Object.fromEntries(responses)
}
