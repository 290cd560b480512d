import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Caller, TestApi } from '../support/api.ts'
import { startDocumentedApi } from '../support/documented-api.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

/** Of what a title is, also as the description; both by each way to write them. */
async function kept(text: string): Promise<void> {
  const fields = { title: text, description: text }
  const made = await ann.call('/tasks', { body: fields })
  expect(made.status).toBe(201)
  const { id, ...task } = made.json()
  expect(task).toMatchObject(fields)
  expect((await ann.call(`/tasks/${id}`)).text).toBe(JSON.stringify({ id, ...task }))
  const other = (await ann.call('/tasks', { body: { title: 'x' } })).json().id
  const patched = await ann.call(`/tasks/${other}`, { method: 'PATCH', body: fields })
  expect(patched.json()).toMatchObject(fields)
  const put = await ann.call(`/tasks/${other}`, { method: 'PUT', body: { title: text } })
  expect(put.json().title).toBe(text)
}

describe('a new task', () => {
  test('has every field, in one order, as compact JSON', async () => {
    const made = await ann.call('/tasks', { body: { title: 'Buy "milk" \\ é' } })
    const { id, created_at, updated_at } = made.json()
    expect(made.text).toBe(
      JSON.stringify({
        id,
        title: 'Buy "milk" \\ é',
        description: null,
        status: 'Todo',
        owner_id: ann.id,
        created_at,
        updated_at,
      }),
    )
    expect(made.headers.get('content-type')).toBe('application/json')
  })

  test('has a UUID v7 in lower case and says where it is', async () => {
    const made = await ann.call('/tasks', { body: { title: 'x' } })
    const { id } = made.json()
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(made.headers.get('location')).toBe(`/api/v1/tasks/${id}`)
    const headers = { authorization: `Bearer ${ann.token}` }
    expect((await api.call(made.headers.get('location') ?? '', { headers })).text).toBe(made.text)
  })

  test('was made now, in UTC with milliseconds, and was not changed yet', async () => {
    const before = Date.now()
    const { created_at, updated_at } = (await ann.call('/tasks', { body: { title: 'x' } })).json<
      Record<string, string>
    >()
    expect(created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(updated_at).toBe(created_at)
    // Postgres rounds to the millisecond, Date.now() cuts.
    expect(Date.parse(created_at ?? '')).toBeGreaterThanOrEqual(before - 1)
    expect(Date.parse(created_at ?? '')).toBeLessThanOrEqual(Date.now() + 1)
  })

  test.each(['Todo', 'InProgress', 'Done'])('can be %s', async (status) => {
    expect((await ann.call('/tasks', { body: { title: 'x', status } })).json().status).toBe(status)
  })
})

describe('text is kept byte for byte', () => {
  test.each([
    ['spaces around it', '  two  spaces  '],
    ['tabs and line breaks', '\ta\r\nb\n\u0085\u2028\u2029c'],
    ['an emoji of several code points', '👩‍👩‍👧‍👦 🏳️‍🌈 🇺🇦'],
    ['a letter and its combining mark', 'e\u0301 and \u00e9 are two texts'],
    ['right to left with marks', '\u202eabc שלום \u200f'],
    ['control characters', '\u0001\u001f\u007f\u009f!'],
    ['a byte order mark and zero width', '\ufeff\u200b\u200d.'],
    ['noncharacters and the last code point', '\uffff\ufffe\u{10ffff}\ufffd'],
    ['quotes, backslashes and what looks like escapes', '"\'`\\ \\u0041 \\n %00 $1 #{x} \\x'],
    ['markup and SQL', "<script>alert(1)</script>'; drop table docket.tasks; --"],
    ['JSON', '{"title":null}'],
    ['one letter', 'x'],
    ['255 code points of two units', '😀'.repeat(255)],
    ['255 letters', 'x'.repeat(255)],
  ])('with %s', async (_, text) => {
    await kept(text)
  })

  test('whatever it is', async () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 255 })
      .filter((value) => /\S/.test(value) && !value.includes('\0'))
    await fc.assert(fc.asyncProperty(text, kept), { numRuns: 25 })
  })

  test('in a description of 10,000 code points, and empty', async () => {
    for (const description of ['😀'.repeat(10_000), 'x'.repeat(10_000), '', ' '])
      expect((await ann.call('/tasks', { body: { title: 'x', description } })).json().description).toBe(
        description,
      )
  })

  test('also where JSON spells it in escapes', async () => {
    const body = '{"title":"\\u0041\\ud83d\\ude00\\u00e9\\/"}'
    expect((await ann.call('/tasks', { body })).json().title).toBe('A😀é/')
  })
})

test('the longest task fits into a body in whatever way JSON spells it', async () => {
  const title = '😀'.repeat(255)
  const description = '😀'.repeat(10_000)
  const inEscapes = (text: string) =>
    text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const body = inEscapes(JSON.stringify({ title, description, owner_id: ann.id, status: 'InProgress' }))
  expect(body).toMatch(/^[\0-\x7f]{123000,}$/)
  const made = await ann.call('/tasks', { body })
  expect(made.status).toBe(201)
  expect(made.json()).toMatchObject({ title, description })
  const put = await ann.call(`/tasks/${made.json().id}`, { method: 'PUT', body })
  expect(put.json()).toMatchObject({ title, description })
})

describe('owner_id in a body', () => {
  test('is accepted when it is the caller', async () => {
    const made = await ann.call('/tasks', { body: { title: 'x', owner_id: ann.id } })
    expect(made.status).toBe(201)
    expect(made.json().owner_id).toBe(ann.id)
    const path = `/tasks/${made.json().id}`
    const put = await ann.call(path, { method: 'PUT', body: { title: 'y', owner_id: ann.id } })
    expect([put.status, put.json().owner_id]).toEqual([200, ann.id])
  })

  test('is 403 when it is somebody else, and nothing is written', async () => {
    const [bob, eve] = [await api.newOwner(), await api.newOwner()]
    const own = await eve.call('/tasks', { body: { title: 'as it was' } })
    const path = `/tasks/${own.json().id}`
    for (const owner_id of [bob.id, '', eve.id.toUpperCase(), ` ${eve.id}`]) {
      for (const [target, method] of [
        ['/tasks', 'POST'],
        [path, 'PUT'],
        [`/tasks/${crypto.randomUUID()}`, 'PUT'],
      ] as const) {
        const answer = await eve.call(target, { method, body: { title: 'taken', owner_id } })
        expect([answer.status, answer.json().code]).toEqual([403, 'forbidden'])
      }
    }
    expect((await eve.call('/tasks')).text).toBe(`[${own.text}]`)
    expect((await bob.call('/tasks')).text).toBe('[]')
  })

  test('is no field of a change', async () => {
    const { id } = (await ann.call('/tasks', { body: { title: 'x' } })).json()
    const answer = await ann.call(`/tasks/${id}`, { method: 'PATCH', body: { owner_id: ann.id } })
    expect(answer.json().errors).toMatchObject([{ path: '/owner_id', code: 'unknown_field' }])
  })
})
