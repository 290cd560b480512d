import { AppError, type Fault } from '../errors.ts'
import { z } from './schema.ts'

type Issue = z.core.$ZodIssue | UnknownKeys
type UnknownKeys = {
  readonly code: 'unrecognized_keys'
  readonly keys: readonly string[]
  readonly path: PropertyKey[]
}

/**
 * Turns a schema's issues into faults: a place, a code, and a sentence without the value. A schema sets its own code
 * by `params: { code }` and its own sentence by the message.
 */
export function faultsOf(place: Fault['in'], issues: readonly Issue[], schema?: z.ZodType): Fault[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys')
      return [{ in: place, path: pointer(issue.path), ...codeAndDetail(issue) }]
    return issue.keys.map((key) => ({
      in: place,
      path: pointer([...issue.path, key]),
      ...unknown(place, schema),
    }))
  })
}

function unknown(place: Fault['in'], schema: z.ZodType | undefined): Pick<Fault, 'code' | 'detail'> {
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape).join(', ') : ''
  const [code, name] = place === 'query' ? ['unknown_parameter', 'parameter'] : ['unknown_field', 'field']
  const those = known === '' ? `There are no ${name}s here` : `Known ${name}s: ${known}`
  return { code, detail: `is not a known ${name}. ${those}` }
}

/** More faults would make the response much longer than the request. Real requests never have as many. */
const mostFaults = 100

/** All faults as one failure, at most the first hundred. Its sentence names the first five. */
export function validationFailed(faults: readonly Fault[]): AppError {
  const sentences = faults.slice(0, 5).map(({ path, detail }) => `${path.slice(1) || 'the body'} ${detail}`)
  if (faults.length > 5) sentences.push(`and ${faults.length - 5} more`)
  return new AppError('validation_failed', sentences.join('; '), { errors: faults.slice(0, mostFaults) })
}

function codeAndDetail(issue: z.core.$ZodIssue): Pick<Fault, 'code' | 'detail'> {
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.code
    return { code: typeof code === 'string' ? code : 'invalid', detail: issue.message }
  }
  // The body itself is the only value whose schema has no sentence of its own.
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

/** RFC 6901. A key that the caller invented is named only when it is short and harmless. */
function pointer(path: readonly PropertyKey[]): string {
  return path.map((key) => (nameable.test(String(key)) ? `/${String(key)}` : '/?')).join('')
}
