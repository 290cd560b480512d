import type { z } from '@hono/zod-openapi'
import { AppError, type Fault } from '../errors.ts'

type Issue = z.core.$ZodIssue

/**
 * What a schema found, as faults: where, a code, a sentence without the value.
 * A schema gives a fault its own code by `params: { code }` and its own sentence by the message.
 */
export function faultsOf(place: Fault['in'], issues: readonly Issue[]): Fault[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys')
      return [{ in: place, path: pointer(issue.path), ...codeAndDetail(issue) }]
    return issue.keys.map((key) => ({
      in: place,
      path: pointer([...issue.path, key]),
      code: 'unknown_field',
      detail: 'is not a field of a task',
    }))
  })
}

/** More would make the answer much longer than the request; a body made by people never has as many. */
const mostFaults = 100

/** All faults (of a body that is nothing but faults the first hundred) as one failure, in a sentence with the first five. */
export function validationFailed(faults: readonly Fault[]): AppError {
  const sentences = faults.slice(0, 5).map(({ path, detail }) => `${path.slice(1) || 'the body'} ${detail}`)
  if (faults.length > 5) sentences.push(`and ${faults.length - 5} more`)
  return new AppError('validation_failed', sentences.join('; '), { errors: faults.slice(0, mostFaults) })
}

function codeAndDetail(issue: Issue): Pick<Fault, 'code' | 'detail'> {
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.code
    return { code: typeof code === 'string' ? code : 'invalid', detail: issue.message }
  }
  // The body itself is the one value whose schema has no sentence of its own.
  if (issue.code === 'invalid_type' && issue.path.length === 0)
    return { code: 'wrong_type', detail: 'must be a JSON object' }
  if (issue.code === 'invalid_type')
    return issue.message === 'is required'
      ? { code: 'required', detail: issue.message }
      : { code: 'wrong_type', detail: issue.message }
  if (issue.code === 'invalid_value') return { code: 'not_allowed', detail: issue.message }
  return { code: 'invalid', detail: issue.message }
}

const nameable = /^[A-Za-z0-9_.$-]{1,64}$/

/** RFC 6901. A key that the caller made up is named only when it is short and harmless. */
function pointer(path: readonly PropertyKey[]): string {
  return path.map((key) => (nameable.test(String(key)) ? `/${String(key)}` : '/?')).join('')
}
