import { AppError, type Fault } from '../errors.ts'
import { faultsOf, validationFailed } from './faults.ts'
import type { Input, Operation } from './operation.ts'
import type { z } from './schema.ts'

/** The raw input, as the transport read it. A repeated parameter is an array of its values. */
export type Sent = {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | readonly string[]>>
  readonly body: unknown
}

/**
 * Checks the input against the schemas of an operation.
 *
 * A path that names nothing is 404 only when the rest of the request is valid, as if the resource were missing. PUT
 * would create the resource, so there it is a fault of the request.
 *
 * @throws AppError `validation_failed` with all faults, or `not_found`.
 */
export function checkInput({ method, schemas, missing }: Operation, sent: Sent): Input {
  const body = schemas.body && check(schemas.body, 'body', sent.body)
  const query = schemas.query === undefined ? noQuery(sent.query) : check(schemas.query, 'query', sent.query)
  const params = schemas.params && check(schemas.params, 'path', sent.params)
  const faults = [body, query, method === 'put' ? params : undefined].flatMap((read) => read?.faults ?? [])
  if (faults.length > 0) throw validationFailed(faults)
  if (params !== undefined && params.faults.length > 0) throw notFound(missing)
  return { params: params?.data, query: query?.data, body: body?.data } as Input
}

export function notFound(sentence = 'Not found.'): AppError {
  return new AppError('not_found', sentence)
}

type Read = { readonly data?: unknown; readonly faults: readonly Fault[] }

/** Either `data`, or at least one of `faults`. */
function check(schema: z.ZodType, place: Fault['in'], value: unknown): Read {
  const result = schema.safeParse(value, { reportInput: false })
  return result.success
    ? { data: result.data, faults: [] }
    : { faults: faultsOf(place, result.error.issues, schema) }
}

function noQuery(query: Sent['query']): Read {
  const keys = Object.keys(query)
  return {
    faults: faultsOf('query', keys.length === 0 ? [] : [{ code: 'unrecognized_keys', keys, path: [] }]),
  }
}
