import fc from 'fast-check'
import { type DocumentedOperation, schemas } from '../support/openapi-operations.ts'
import { valuesOf } from './values.ts'

/** Of a body: mostly JSON. */
export const contentTypes = fc.oneof(
  { weight: 12, arbitrary: fc.constant('application/json') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['application/merge-patch+json', 'application/json; charset=utf-8'],
      ...['APPLICATION/JSON;charset="UTF-8"', 'application/json; charset=utf-16', 'application/json; a=b'],
      ...['text/json', 'text/plain', '', 'json', '*/*', 'application/x-www-form-urlencoded'],
      ...['multipart/form-data; boundary=x', 'application/json, text/plain'],
    ),
  },
)

const rawNumbers = [
  ...['1e400', '-1e400', '1e-400', '9'.repeat(500), '-0', '00', '.5', '5.', '+1', '0x1', 'NaN', '1e'],
]

/** What becomes of the JSON text of a body on its way: mostly nothing. */
const damage: fc.Arbitrary<(json: string) => string | Buffer> = fc.oneof(
  { weight: 12, arbitrary: fc.constant((json: string) => json) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<((json: string) => string | Buffer)[]>(
      () => '',
      () => ' ',
      () => 'null',
      (json) => json.slice(0, -1),
      (json) => `${json}x`,
      (json) => json + json,
      (json) => `\ufeff${json}`,
      (json) => `${json}\u0000`,
      (json) => Buffer.from(json, 'utf16le'),
      (json) => Buffer.from(json.replace('"', '"\xff'), 'latin1'),
      (json) => Buffer.from(json.replace('"', '"\xed\xa0\x80'), 'latin1'),
      (json) => json.replace('{', '{"title":"first",'),
      (json) => json.replace('{', '{"__proto__":{"title":"x"},'),
      (json) => json.replaceAll('"', "'"),
      (json) => json.replace(/\}$/, ',}'),
      (json) => json.replace(/"(?=[:,}])/, '\n"'),
      () => '['.repeat(20_000) + ']'.repeat(20_000),
      () => `${'{"title":'.repeat(40)}1${'}'.repeat(40)}`,
      () => `{"title":${'['.repeat(31)}${']'.repeat(31)}}`,
      (json) => json + ' '.repeat(256_000),
      (json) => json + ' '.repeat(240_000),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...rawNumbers)
      .map((number) => (json: string) => json.replace(/:("[^"]*"|null|[\d.]+)/, () => `:${number}`)),
  },
)

/** What an operation takes, near that, or broken on its way; where it takes none, mostly none. */
export function bodyOf({ requestBody }: DocumentedOperation): fc.Arbitrary<Buffer> {
  const schema = requestBody?.content['application/json']?.schema
  if (schema === undefined)
    return fc.oneof(
      { weight: 9, arbitrary: fc.constant(Buffer.alloc(0)) },
      fc.constant(Buffer.from('{"x":1}')),
    )
  return fc
    .tuple(valuesOf(schema, schemas), damage)
    .map(([value, change]) => Buffer.from(change(JSON.stringify(value))))
}
