import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestApi } from '../support/api.ts'
import { startDocumentedApi } from '../support/documented-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startDocumentedApi()
})
afterAll(() => api.close())

type Fault = { in: string; path: string; code: string; detail: string }

/** Every way to write is refused alike, with these faults and no others, and nothing is written. */
async function refused(
  body: string,
  faults: readonly (readonly [path: string, code: string])[],
  ways: readonly string[],
) {
  const ann = await api.newOwner()
  const made = await ann.call('/tasks', { body: { title: 'as it was', description: 'd', status: 'Done' } })
  const path = `/tasks/${made.json().id}`
  for (const method of ways) {
    const answer = await ann.call(method === 'POST' ? '/tasks' : path, { method, body })
    expect(answer.status, method).toBe(422)
    const { errors, detail } = answer.json<{ errors: Fault[]; detail: string }>()
    const byPath = (a: readonly string[], b: readonly string[]) => `${a}`.localeCompare(`${b}`)
    expect(errors.map((each) => [each.path, each.code]).toSorted(byPath), method).toEqual(
      [...faults].toSorted(byPath),
    )
    for (const fault of errors) {
      expect(fault.in).toBe('body')
      expect(fault.detail).toMatch(/^(must|is) [a-z]/)
    }
    expect(detail).toContain(errors[0]?.detail)
  }
  expect((await ann.call('/tasks')).text).toBe(`[${made.text}]`)
}

const everyWay = ['POST', 'PUT', 'PATCH']

const wrongFields: [body: string, path: string, code: string][] = [
  ['{"title":""}', '/title', 'blank'],
  ['{"title":" \\t\\n\\u00a0\\u3000\\u2028"}', '/title', 'blank'],
  [`{"title":"${'x'.repeat(256)}"}`, '/title', 'too_long'],
  [`{"title":"${'😀'.repeat(256)}"}`, '/title', 'too_long'],
  ['{"title":"a\\u0000b"}', '/title', 'nul'],
  ['{"title":"a\\ud83d"}', '/title', 'unpaired_surrogate'],
  ['{"title":"\\ude00\\ud83d"}', '/title', 'unpaired_surrogate'],
  ['{"title":null}', '/title', 'wrong_type'],
  ['{"title":5}', '/title', 'wrong_type'],
  ['{"title":true}', '/title', 'wrong_type'],
  ['{"title":["x"]}', '/title', 'wrong_type'],
  ['{"title":{"toString":"x"}}', '/title', 'wrong_type'],
  [`{"title":"x","description":"${'x'.repeat(10_001)}"}`, '/description', 'too_long'],
  [`{"title":"x","description":"${'😀'.repeat(10_001)}"}`, '/description', 'too_long'],
  ['{"title":"x","description":"\\u0000"}', '/description', 'nul'],
  ['{"title":"x","description":"\\udfff"}', '/description', 'unpaired_surrogate'],
  ['{"title":"x","description":0}', '/description', 'wrong_type'],
  ['{"title":"x","description":[]}', '/description', 'wrong_type'],
  ['{"title":"x","status":"todo"}', '/status', 'not_allowed'],
  ['{"title":"x","status":"Todo "}', '/status', 'not_allowed'],
  ['{"title":"x","status":""}', '/status', 'not_allowed'],
  ['{"title":"x","status":null}', '/status', 'not_allowed'],
  ['{"title":"x","status":0}', '/status', 'not_allowed'],
  ['{"title":"x","status":["Todo"]}', '/status', 'not_allowed'],
]

describe('a field that is wrong', () => {
  test.each(wrongFields.map(([body, path, code]) => ({ shown: body.slice(0, 60), body, path, code })))(
    '$shown',
    async ({ body, path, code }) => {
      await refused(body, [[path, code]], everyWay)
    },
  )

  test('a title that is missing is one, where a whole task is sent', async () => {
    await refused('{}', [['/title', 'required']], ['POST', 'PUT'])
    await refused('{"status":"Done"}', [['/title', 'required']], ['POST', 'PUT'])
  })

  test('an owner that is no text is one', async () => {
    for (const owner of ['null', '1', '[]'])
      await refused(`{"title":"x","owner_id":${owner}}`, [['/owner_id', 'wrong_type']], ['POST', 'PUT'])
  })
})

describe('a body that is no object', () => {
  test.each(['[]', '[{"title":"x"}]', 'null', '0', '"title"', 'true'])('%s', async (body) => {
    await refused(body, [['', 'wrong_type']], everyWay)
  })
})

describe('a field that there is not', () => {
  test.each([
    'id',
    'created_at',
    'updated_at',
    'Title',
    'completed',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'x.y',
    '$ref',
    '0',
  ])('%s is named', async (name) => {
    await refused(
      `{"title":"x",${JSON.stringify(name)}:{"polluted":true}}`,
      [[`/${name}`, 'unknown_field']],
      everyWay,
    )
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test.each(['', ' ', 'a b', 'a/b', '<b>', 'é', '\0', '\ud800', 'x'.repeat(65)])(
    'whose name is harmful or long (%j) is pointed at without it',
    async (name) => {
      await refused(`{"title":"x",${JSON.stringify(name)}:1}`, [['/?', 'unknown_field']], everyWay)
    },
  )
})

test('all faults of a body are listed at once, each once', async () => {
  const body = `{"title":"${'x'.repeat(256)}\\u0000\\ud800","description":7,"status":"x","one":1,"two":2,"__proto__":3}`
  const faults = [
    ['/title', 'too_long'],
    ['/title', 'nul'],
    ['/title', 'unpaired_surrogate'],
    ['/description', 'wrong_type'],
    ['/status', 'not_allowed'],
    ['/one', 'unknown_field'],
    ['/two', 'unknown_field'],
    ['/__proto__', 'unknown_field'],
  ] as const
  await refused(body, faults, everyWay)
})

test('a body is judged before its task is looked for, and a malformed id of a PUT together with it', async () => {
  const ann = await api.newOwner()
  const faulty = await ann.call(`/tasks/${crypto.randomUUID()}`, { method: 'PATCH', body: { title: '' } })
  expect(faulty.status).toBe(422)
  const both = await ann.call('/tasks/malformed', { method: 'PUT', body: { title: '', extra: 1 } })
  expect(both.status).toBe(422)
  expect(both.json<{ errors: Fault[] }>().errors.map((each) => [each.in, each.path])).toEqual([
    ['body', '/title'],
    ['body', '/extra'],
    ['path', '/id'],
  ])
})

test('a body that is nothing but faults is answered with the first hundred', async () => {
  const ann = await api.newOwner()
  const body = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`f${i}`, 1]))
  const answer = await ann.call('/tasks', { body })
  expect(answer.status).toBe(422)
  expect(answer.json<{ errors: unknown[] }>().errors).toHaveLength(100)
})
