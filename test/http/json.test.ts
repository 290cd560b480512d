import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonDepthLimit, parseJson } from '../../src/http/request/json.ts'

const notJson = 'The body is not valid JSON.'
const twice = 'The body has the same field twice.'
const deep = 'The body is nested deeper than 32 levels.'
const refused = (detail: string) => expect.objectContaining({ code: 'malformed_request', detail })

const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
const arrays = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`

test('whatever JSON.stringify makes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: jsonDepthLimit - 2 }), fc.constantFrom(0, 1, '\t'), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), null, indent)
      expect(parseJson(spaced)).toEqual(JSON.parse(spaced))
    }),
  )
})

test('whatever else is given is refused, or read as JSON.parse reads it', () => {
  const punctuation = fc.string({ unit: fc.constantFrom(...'{}[]:,"\\ \n1ae') })
  fc.assert(
    fc.property(punctuation, (text) => {
      try {
        expect(parseJson(text)).toEqual(JSON.parse(text))
      } catch (error) {
        expect(error).toMatchObject({ code: 'malformed_request' })
      }
    }),
    { numRuns: 2000 },
  )
})

test('a name in an object is there once, whatever stands around it', () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), (name, one, other) => {
      const key = JSON.stringify(name)
      const spelled = `"${[...Array(name.length).keys()].map((i) => escaped(name.charCodeAt(i))).join('')}"`
      for (const again of [key, spelled]) {
        const between = `${JSON.stringify(`x${name}`)}:0`
        const object = `{${key}:${JSON.stringify(one)}, ${between} ,${again} : ${JSON.stringify(other)}}`
        for (const text of [object, `[1,${object}]`, `{"outer":[${object}]}`])
          expect(() => parseJson(text)).toThrow(refused(twice))
      }
    }),
  )
})

const escaped = (unit: number) => `\\u${unit.toString(16).padStart(4, '0')}`

test.each([
  '{"a":1,"a":1}',
  '{"a":1,"\\u0061":2}',
  '{"\\n":1,"\\u000a":2}',
  '{"":1,"":2}',
  '{"a":{"b":1,"b":2}}',
  '[{"a":[],"a":{}}]',
  '{"__proto__":1,"__proto__":2}',
  '{"a"\n\t:1,"a" :2}',
])('%s has a field twice', (text) => {
  expect(() => parseJson(text)).toThrow(refused(twice))
})

test.each([
  '{"a":"a","b":"a"}',
  '{"a":{"a":{"a":1}}}',
  '[{"a":1},{"a":2}]',
  '["a","a"]',
  '{"a":"\\"a\\":1","b":"{\\"b\\":1"}',
  '{"a":1,"A":2}',
  '{"\\u00e9":1,"e\\u0301":2}',
])('%s has none twice', (text) => {
  expect(parseJson(text)).toEqual(JSON.parse(text))
})

test.each([objects, arrays, (levels: number) => `[${objects(levels - 1)},${arrays(levels - 1)}]`])(
  '32 levels are read, 33 are not',
  (nest) => {
    expect(parseJson(nest(32))).toEqual(JSON.parse(nest(32)))
    expect(() => parseJson(nest(33))).toThrow(refused(deep))
  },
)

test('brackets in a text are no levels', () => {
  const text = JSON.stringify({ title: '[{'.repeat(100) })
  expect(parseJson(text)).toEqual(JSON.parse(text))
})

test('__proto__ is a field of its own, and changes no object', () => {
  const read = parseJson('{"__proto__":{"admin":true}}')
  expect(Object.keys(Object(read))).toEqual(['__proto__'])
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
  expect(Object(read).admin).toBeUndefined()
})

test.each([
  '',
  ' ',
  '{',
  '}',
  '"',
  '"\\',
  '{"a":1,}',
  "{'a':1}",
  '{a:1}',
  '[1,]',
  'NaN',
  'undefined',
  '01',
  '1.',
  '.5',
  '+1',
  '0x1',
  '// 1',
  '{}{}',
  '{"a":1}x',
  '"\n"',
  '"\\x"',
  '{"\\x":1}',
  '\ufeff{}',
  '\u00a0{}',
])('%j is not JSON', (text) => {
  expect(() => parseJson(text)).toThrow(refused(notJson))
})

test.each([
  ['quotation marks', '"'.repeat(256_000)],
  ['escaped quotation marks', `"${'\\"'.repeat(128_000)}`],
  ['closing brackets', ']'.repeat(256_000)],
  ['backslashes', `"${'\\'.repeat(256_000)}`],
  ['spaces behind texts', `["a"${`${' '.repeat(400)},"a"`.repeat(620)}`],
])('256 kB of %s are refused', (_, text) => {
  expect(() => parseJson(text)).toThrow(refused(notJson))
})

describe('names in one object', () => {
  const objectOf = (names: number, at = 0) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: names }, (_, i) => [`name${at + i}`, 1])))
  const tooMany = 'An object of the body has more than 1000 fields.'

  test('may be 1,000, in each of many objects', () => {
    const text = `[${Array.from({ length: 20 }, (_, i) => objectOf(1_000, i)).join()}]`
    expect(parseJson(text)).toEqual(JSON.parse(text))
  })

  test.each([
    ['in the outermost', objectOf(1_001)],
    ['behind another object', `[{},${objectOf(1_001)}]`],
    ['with objects between', objectOf(1_001).replaceAll(':1', ':{"a":1}')],
    ['256 kB of them', objectOf(17_000)],
  ])('are refused beyond that: %s', (_, text) => {
    expect(() => parseJson(text)).toThrow(refused(tooMany))
  })
})
