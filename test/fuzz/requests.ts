import fc from 'fast-check'
import { type DocumentedOperation, operations, schemas } from '../support/openapi-operations.ts'
import { bodyOf, contentTypes } from './bodies.ts'
import { text, valuesOf } from './values.ts'

/** A request but for its caller. Ids that exist are not known here: `ids` are put in the place of `{0}`, `{1}` and so on. */
export type FuzzedRequest = {
  readonly who: number
  readonly method: string
  /** One character a byte. */
  readonly target: string
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** Mostly of what reaches rows. */
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...operations.filter(({ security }) => security.length > 0)) },
  { weight: 1, arbitrary: fc.constantFrom(...operations) },
)

/** One of three owners asks for something at an operation of the document. */
export const request: fc.Arbitrary<FuzzedRequest> = operation.chain((operation) =>
  fc.record({
    who: fc.nat({ max: 2 }),
    method: fc.oneof(
      { weight: 12, arbitrary: fc.constant(operation.method) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE'),
      },
    ),
    target: targetOf(operation),
    headers: headersOf(operation),
    body: bodyOf(operation),
  }),
)

const encoded = text.map((each) => encodeURIComponent(each.toWellFormed()))

const nearIds = fc.constantFrom(
  ...['0', '-1', 'null', 'undefined', 'NaN', '%27', "'", '1e400', '%F0%9D%84%9E', '%', '%zz', '%00'],
  ...['%c0%af', '%ff', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  ...['urn:uuid:', '\u00e9', '%20', '0199d5f26c5a7d419c8e3f2a1b4c5d6e'],
  ...['{0199d5f2-6c5a-7d41-9c8e-3f2a1b4c5d6e}', '0199d5f2-6c5a-7d41-9c8e', ';a=b'],
  ...['0199d5f2-6c5a-7d41-9c8e-3f2a1b4c5d6g', '0199d5f2-6c5a-7d41-9c8e-3f2a1b4c5d6e%0a', 'x'.repeat(2000)],
)

const segment = fc.oneof(
  { weight: 8, arbitrary: fc.nat({ max: 9 }).map((which) => `{${which}}`) },
  { weight: 2, arbitrary: fc.uuid() },
  { weight: 1, arbitrary: fc.uuid().map((id) => id.toUpperCase()) },
  { weight: 2, arbitrary: encoded.filter((each) => each !== '' && !/^\.{1,2}$/.test(each)) },
  { weight: 2, arbitrary: nearIds },
)

function targetOf({ path, parameters }: DocumentedOperation): fc.Arbitrary<string> {
  const places = path.match(/\{\w+\}/g) ?? []
  const query = parameters.filter((each) => each.in === 'query')
  return fc
    .tuple(
      fc.array(segment, { minLength: places.length, maxLength: places.length }),
      queryOf(query),
      fc.nat({ max: 9 }),
    )
    .map(([values, search, slash]) => {
      const filled = places.reduce((sofar, place, at) => sofar.replace(place, () => values[at] ?? ''), path)
      return `${filled}${slash === 0 ? '/' : ''}${search}`
    })
}

const nearNumbers = fc.constantFrom(
  ...['', '-1', '-0', '+1', '1.0', '1.5', '1e2', '1e400', '0x10', '%201', '1%20', '1%00', '%EF%BC%91', 'NaN'],
  ...['007', 'Infinity', 'null', 'true', '[]', '1,2', '1;2', '2147483647', '2147483648'],
  ...['9223372036854775807', '501', '9223372036854775808', '9'.repeat(10), '9'.repeat(11), '9'.repeat(400)],
  ...["1'", '1--', '%', '%zz', '%d8%00'],
)

function queryOf(parameters: DocumentedOperation['parameters']): fc.Arbitrary<string> {
  const known = parameters.map(({ name, schema }) =>
    fc
      .oneof(
        { weight: 3, arbitrary: valuesOf(schema, schemas).map((each) => encode(each)) },
        { weight: 2, arbitrary: nearNumbers },
      )
      .map((value) => `${name}=${value}`),
  )
  const names = fc.oneof(
    fc.constantFrom('x', 'limit[]', 'skip%5B%5D', 'LIMIT', '', '__proto__', 'owner_id'),
    encoded,
  )
  const unknown = fc.tuple(names, encoded).map(([name, value]) => `${name}=${value}`)
  return fc
    .array(fc.oneof(...known, ...known, unknown, fc.constantFrom('', '=', 'limit', 'skip')), { maxLength: 3 })
    .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.join('&')}`))
}

function encode(value: unknown): string {
  return encodeURIComponent((typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed())
}

/** Latin-1 text that may stand in a header. */
const headerValue = fc
  .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })), {
    maxLength: 40,
  })
  .map((codes) => String.fromCharCode(...codes).trim())

const headerNames = [
  ...['Accept', 'Accept-Encoding', 'Accept-Language', 'If-Match', 'If-None-Match', 'If-Modified-Since'],
  ...['Range', 'Prefer', 'Origin', 'X-Request-Id', 'X-Forwarded-For', 'X-HTTP-Method-Override'],
  ...['Idempotency-Key', 'Cookie', 'Content-Language', 'Content-Encoding', 'Traceparent', 'X-User-Id'],
  ...['Forwarded', 'Content-MD5', 'TE'],
] as const

function headersOf(operation: DocumentedOperation): fc.Arbitrary<string[]> {
  const some = fc.dictionary(fc.constantFrom(...headerNames), headerValue, { maxKeys: 2 })
  const type = operation.requestBody === undefined ? fc.constant('') : contentTypes
  return fc
    .tuple(type, fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, some))
    .map(([mediaType, others]) => [
      ...(mediaType === '' ? [] : [`Content-Type: ${mediaType}`]),
      ...Object.entries(others).map(([name, value]) => `${name}: ${value}`),
    ])
}
