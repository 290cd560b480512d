import fc from 'fast-check'
import type { JsonSchema, Named } from '../support/json-schema.ts'

/** Text of any sixteen-bit units, halves of pairs included. */
const anyUnits = fc
  .array(fc.nat({ max: 0xffff }), { maxLength: 12 })
  .map((units) => String.fromCharCode(...units))

/** Text that some layer below might read as something else than text. */
const treacherous = fc.constantFrom(
  ...['', ' ', '\t\n', '\u00a0', '\u3000', '\u0000', 'a\u0000b', '\u0001', '\u001b[2J', '\u007f', '\u0085'],
  ...['\ufeff', '\ud800', '\udc00', 'a\ud83d', '\udc00\ud800', '\ufffd', '\ufffe', '\u{10ffff}', '\u202e'],
  ...['\u2028', 'e\u0301', "'; drop table docket.tasks; --", "\\'", '\\', '\\u0000', '\\x00', '$1', '$$'],
  ...['%', '%s', '{}', '?', 'null', 'true', 'NaN', '-0', '1e400', '0x1', 'infinity', 'now()', '30 February'],
  ...['2026-02-30T00:00:00.000Z', '[]', '{"a":1}', '<b>', '𝄞', '👩‍👩‍👧‍👦', 'İ', 'ß', '__proto__', 'Todo'],
  ...['todo', 'Todo\u0000', 'Done '],
)

export const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 2, arbitrary: anyUnits },
  { weight: 3, arbitrary: treacherous },
)

/** Text about as long as it may be, counted in code points, in units and in bytes. */
function textAround(limit: number): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom('x', 'é', '字', '𝄞', '\u0000', '\ud800', ' '), fc.integer({ min: -1, max: 1 }))
    .map(([character, beyond]) => character.repeat(Math.max(0, limit + beyond)))
}

const anyJson = fc.oneof(
  fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }),
  text,
  fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 5e-324, [], [[]], {}, [null]),
)

const keys = fc.oneof(
  text,
  fc.constantFrom(
    'id',
    'owner_id',
    'created_at',
    'Title',
    'title ',
    '__proto__',
    'constructor',
    'toString',
    '',
  ),
)

/** Values of a schema: mostly what it says, sometimes what is near, sometimes anything. */
export function valuesOf(schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 8, arbitrary: rightValue(schema, named) },
    { weight: 2, arbitrary: nearValue(schema, named) },
    { weight: 1, arbitrary: anyJson },
  )
}

function rightValue(schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return rightValue(resolve(schema, named), named)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.properties !== undefined) return objectOf(schema, named)
  const types = [schema.type ?? 'string'].flat()
  return fc.oneof(...types.map((type) => ofType(type, schema)))
}

function ofType(
  type: string,
  { minimum = 0, maximum = 2 ** 31 - 1, ...schema }: JsonSchema,
): fc.Arbitrary<unknown> {
  if (type === 'null') return fc.constant(null)
  if (type === 'boolean') return fc.boolean()
  if (type === 'integer' || type === 'number') return fc.integer({ min: minimum, max: maximum })
  if (type === 'string' && schema.format === 'uuid') return fc.uuid()
  if (type === 'string') return rightText(schema.minLength ?? 0)
  throw new Error(`no values of type ${type}`)
}

/** Text that has to come back as it was sent: nothing around it is cut off, nothing in it is put in another form. */
function rightText(minLength: number): fc.Arbitrary<string> {
  const around = fc.constantFrom(
    '',
    '',
    '',
    ' ',
    '\t',
    '\n',
    '\u00a0',
    '\u3000',
    '\ufeff',
    '\r\n',
    'e\u0301',
    '\ufb01',
  )
  const inner = fc.string({ unit: 'grapheme', minLength, maxLength: 40 })
  return fc.tuple(around, inner, around).map((parts) => parts.join(''))
}

/** All required properties and some of the others, each right, near or anything. */
function objectOf(schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  const properties = Object.entries(schema.properties ?? {}).filter(([, each]) => each.deprecated !== true)
  return fc.record(Object.fromEntries(properties.map(([name, each]) => [name, valuesOf(each, named)])), {
    requiredKeys: schema.required?.filter((name) => properties.some(([known]) => known === name)) ?? [],
  })
}

function nearValue(schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return nearValue(resolve(schema, named), named)
  if (schema.properties !== undefined)
    return fc.oneof(
      fc
        .tuple(objectOf(schema, named), keys, anyJson)
        .map(([value, key, more]) => entriesAnd(value, key, more)),
      fc
        .tuple(objectOf(schema, named), fc.constantFrom(...Object.keys(schema.properties)))
        .map(([value, key]) =>
          Object.fromEntries(Object.entries(Object(value)).filter(([name]) => name !== key)),
        ),
      objectOf(schema, named).map((value) => [value]),
      objectOf(schema, named).map((value) => JSON.stringify(value)),
    )
  if (schema.maxLength !== undefined) return fc.oneof(text, textAround(schema.maxLength))
  return text
}

/** Also for `__proto__`, which only `fromEntries` makes a property of. */
function entriesAnd(value: unknown, key: string, more: unknown): object {
  return Object.fromEntries([...Object.entries(Object(value)), [key, more]])
}

function resolve({ $ref = '' }: JsonSchema, named: Named): JsonSchema {
  const schema = named[$ref.replace('#/components/schemas/', '')]
  if (schema === undefined) throw new Error(`${$ref} is not in the document`)
  return schema
}
