import { randomUUID } from 'node:crypto'
import { z } from '../../api/schema.ts'
import { AppError, type ErrorCode, errorCodes } from '../../errors.ts'
import type { Context } from '../request/context.ts'
import { everyResponse, respond } from './respond.ts'

type Kind = { readonly status: number; readonly title: string; readonly when: string }

/** Every code with its status, its title and its cause. This is the whole mapping from failures to HTTP. */
export const problemKinds: Readonly<Record<ErrorCode, Kind>> = {
  malformed_request: {
    status: 400,
    title: 'Malformed request',
    when: 'The request cannot be read: broken JSON, invalid UTF-8, bad percent-encoding, broken or repeated headers.',
  },
  unauthenticated: {
    status: 401,
    title: 'Unauthenticated',
    when: 'There is no bearer token: send Authorization: Bearer and a JWT.',
  },
  invalid_token: {
    status: 401,
    title: 'Invalid token',
    when: 'The token is refused for any reason but its age.',
  },
  token_expired: {
    status: 401,
    title: 'Token expired',
    when: 'The token is genuine but too old: get a new one and repeat.',
  },
  forbidden: { status: 403, title: 'Forbidden', when: 'The caller is known and may not do this.' },
  quota_exceeded: {
    status: 409,
    title: 'Quota exceeded',
    when: 'The caller reached a limit on what one owner may store. detail says which, and what to do.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    when: 'There is nothing here for this caller. A resource of another owner answers the same as a missing one.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    when: 'The path exists but not with this method; Allow lists the ones it has.',
  },
  conflict: { status: 409, title: 'Conflict', when: 'The present state does not allow it.' },
  precondition_failed: {
    status: 412,
    title: 'Precondition failed',
    when: 'It has changed since the version named in If-Match.',
  },
  payload_too_large: {
    status: 413,
    title: 'Payload too large',
    when: 'The body is over 256 kB (256,000 bytes).',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    when: 'The body is not JSON in UTF-8, or has a content coding.',
  },
  validation_failed: {
    status: 422,
    title: 'Validation failed',
    when: 'The request was read but is wrong; errors lists every fault, of body, query and path.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    when: 'Too many requests in a short time; Retry-After says how long to wait.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    when: 'A defect of ours; the log has the cause under the request id.',
  },
  unavailable: {
    status: 503,
    title: 'Unavailable',
    when: 'The database or the token keys are out of reach, or the server is starting; Retry-After says when to try again.',
  },
}

/** The address of a kind of problem, relative to the API. It answers with the meaning of the kind. */
export function problemType(code: ErrorCode): string {
  return `/problems/${code.replaceAll('_', '-')}`
}

export const Problem = z
  .object({
    type: z.string().openapi({ description: 'Names the kind of problem; a page that explains it.' }),
    title: z.string(),
    status: z.int().openapi({ minimum: 400, maximum: 599 }),
    code: z.enum(errorCodes).openapi({ description: 'Closed set: switch on this.' }),
    detail: z.string().openapi({ description: 'A sentence for a person.' }),
    errors: z
      .array(
        z.object({
          in: z.enum(['body', 'query', 'path']),
          path: z.string().openapi({ description: 'JSON pointer (RFC 6901).' }),
          code: z.string(),
          detail: z.string(),
        }),
      )
      .optional()
      .openapi({ description: 'All faults, with validation_failed.' }),
    request_id: z.string(),
  })
  .openapi('Problem', { description: 'RFC 9457 problem details.' })

const realm = 'Bearer realm="docket"'

/** RFC 6750: a missing token gets no error code; an invalid or expired token gets `invalid_token`. */
const challenges: Partial<Record<ErrorCode, string>> = {
  unauthenticated: realm,
  invalid_token: `${realm}, error="invalid_token", error_description="The access token is not valid here"`,
  token_expired: `${realm}, error="invalid_token", error_description="The access token expired"`,
}

const internal = new AppError(
  'internal',
  'Something went wrong on our side; the request id finds it in our log.',
)

/** Turns anything thrown into RFC 9457 problem JSON. An error that is not an `AppError` reveals nothing. */
export function problem(c: Context, error: unknown): Response {
  const known = error instanceof AppError && error.code !== 'internal' ? error : internal
  c.set('failure', error)
  // A refusal is short, and must not be refused itself: the budget counts it no more.
  c.get('held')?.release()
  c.set('held', undefined)
  return respond(c, problemKinds[known.code].status, problemBody(known, c.var.requestId), {
    'content-type': 'application/problem+json',
    ...problemHeaders(known),
  })
}

/** The answer to a request that no app sees. It has an id of ours and the headers of every response. */
export function problemUnseen(error: AppError, production: boolean) {
  const requestId = randomUUID()
  return {
    requestId,
    status: problemKinds[error.code].status,
    headers: {
      ...everyResponse(requestId, production),
      'content-type': 'application/problem+json',
      ...problemHeaders(error),
    },
    body: problemBody(error, requestId),
  }
}

function problemBody(error: AppError, requestId: string): string {
  const { status, title } = problemKinds[error.code]
  const { code, detail, errors } = error
  return JSON.stringify({
    type: problemType(code),
    title,
    status,
    code,
    detail,
    errors,
    request_id: requestId,
  })
}

function problemHeaders(error: AppError): Record<string, string> {
  const headers: Record<string, string> = { ...error.headers }
  const challenge = challenges[error.code]
  if (challenge !== undefined) headers['www-authenticate'] = challenge
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds)
  return headers
}
