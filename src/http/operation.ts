import type { OpenAPIHono, RouteConfig, z } from '@hono/zod-openapi'
import { AppError, type ErrorCode, type Fault } from '../errors.ts'
import { readJson } from './body.ts'
import type { Context, Env } from './context.ts'
import { faultsOf, validationFailed } from './faults.ts'
import { Problem, problemKinds } from './problem.ts'

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type Shape = z.ZodType | undefined
type Given<S extends Shape> = S extends z.ZodType ? z.output<S> : undefined

/**
 * One operation: what the OpenAPI document says of it and what it does, in one declaration.
 * Everything a handler is given was checked against the schemas here.
 */
export type Operation<Path extends Shape, Query extends Shape, Body extends Shape> = {
  method: Method
  /** As OpenAPI writes it: `/api/v1/tasks/{id}`. */
  path: string
  id: string
  tag: string
  summary: string
  description?: string
  params?: Path
  query?: Query
  body?: Body
  /** Media types of the body besides `application/json`. */
  bodyTypes?: readonly string[]
  success: RouteConfig['responses']
  /** Failures of this operation beyond those that any can have. */
  failures?: readonly ErrorCode[]
  /** Set for what needs no token. */
  open?: true
  handle: (
    c: Context,
    input: { params: Given<Path>; query: Given<Query>; body: Given<Body> },
  ) => Response | Promise<Response>
}

/** What any operation without a token can answer. */
const openFailure: readonly ErrorCode[] = ['malformed_request', 'internal']

/** What any operation behind a token can answer. */
const anyFailure: readonly ErrorCode[] = [
  'malformed_request',
  'unauthenticated',
  'invalid_token',
  'token_expired',
  'forbidden',
  'rate_limited',
  'internal',
  'unavailable',
]

/** What reading a body can come to besides. */
const bodyFailure: readonly ErrorCode[] = ['payload_too_large', 'unsupported_media_type']

/** Adds an operation to the router and to the OpenAPI document. */
export function addOperation<Path extends Shape, Query extends Shape, Body extends Shape>(
  app: OpenAPIHono<Env>,
  operation: Operation<Path, Query, Body>,
): void {
  app.openAPIRegistry.registerPath(documented(operation))
  const path = operation.path.replaceAll(/\{(\w+)\}/g, ':$1')
  app.on(operation.method, path, async (c) => operation.handle(c, await readInput(c, operation)))
}

/**
 * The body before the path: only a request that is right in itself is told whether its task exists.
 * A path that cannot name anything is 404, as if nothing were there; on PUT, where it would name something new, 422.
 */
async function readInput<Path extends Shape, Query extends Shape, Body extends Shape>(
  c: Context,
  { method, params, query, body }: Operation<Path, Query, Body>,
): Promise<{ params: Given<Path>; query: Given<Query>; body: Given<Body> }> {
  const readBody = body === undefined ? undefined : check(body, 'body', await readJson(c))
  const readQuery = query === undefined ? undefined : check(query, 'query', singleValues(c.req.queries()))
  const readPath = params === undefined ? undefined : check(params, 'path', c.req.param())
  const faults = [readBody, readQuery, method === 'put' ? readPath : undefined].flatMap(
    (read) => read?.faults ?? [],
  )
  if (faults.length > 0) throw validationFailed(faults)
  if (readPath !== undefined && readPath.faults.length > 0) throw new AppError('not_found', noSuchTask)
  return {
    params: readPath?.data as Given<Path>,
    query: readQuery?.data as Given<Query>,
    body: readBody?.data as Given<Body>,
  }
}

/** Either `data`, or `faults` that are not empty. */
function check(schema: z.ZodType, place: Fault['in'], value: unknown): { data?: unknown; faults: Fault[] } {
  const result = schema.safeParse(value, { reportInput: false })
  return result.success ? { data: result.data, faults: [] } : { faults: faultsOf(place, result.error.issues) }
}

/** One sentence for a task that is missing, somebody else's, or not nameable. */
export const noSuchTask = 'There is no such task.'

/** A parameter given twice stays an array, which no schema takes. */
function singleValues(queries: Record<string, string[]>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(queries).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}

function documented<Path extends Shape, Query extends Shape, Body extends Shape>(
  operation: Operation<Path, Query, Body>,
): RouteConfig {
  const codes = [
    ...new Set([
      ...(operation.open ? openFailure : anyFailure),
      ...(operation.body ? bodyFailure : []),
      ...(operation.failures ?? []),
    ]),
  ]
  const content = operation.body && { schema: operation.body }
  return {
    method: operation.method,
    path: operation.path,
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    security: operation.open ? [] : [{ bearerAuth: [] }],
    request: {
      ...(operation.params === undefined ? {} : { params: operation.params as never }),
      ...(operation.query === undefined ? {} : { query: operation.query as never }),
      ...(content === undefined
        ? {}
        : {
            body: {
              required: true,
              content: Object.fromEntries(
                ['application/json', ...(operation.bodyTypes ?? [])].map((type) => [type, content]),
              ),
            },
          }),
    },
    responses: { ...operation.success, ...failureResponses(codes) },
  }
}

/** What the document says of failures: one response for each status, with the codes it can carry. */
export function failureResponses(codes: readonly ErrorCode[] = openFailure): RouteConfig['responses'] {
  const statuses = [...new Set(codes.map((code) => problemKinds[code].status))].sort()
  const responses = statuses.map((status) => {
    const meant = codes.filter((code) => problemKinds[code].status === status)
    const description = meant.map((code) => `\`${code}\`: ${problemKinds[code].when}`).join('\n\n')
    return [status, { description, content: { 'application/problem+json': { schema: Problem } } }] as const
  })
  return Object.fromEntries(responses)
}
