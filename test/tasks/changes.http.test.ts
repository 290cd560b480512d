import { randomUUID } from 'node:crypto'
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

type Task = Record<'id' | 'title' | 'status' | 'owner_id' | 'created_at' | 'updated_at', string> & {
  description: string | null
}

const full = { title: 'One', description: 'd', status: 'InProgress' }
const create = async (body: object = full) => (await ann.call('/tasks', { body })).json<Task>()
const send = async (method: string, id: string, body: unknown, type = 'application/json') =>
  ann.call(`/tasks/${id}`, { method, body, headers: { 'content-type': type } })

/** Changes a task until its clock has moved: two requests can fall into one millisecond. */
async function changedLater(task: Task, change: (turn: number) => Promise<Task>): Promise<Task> {
  for (let turn = 1; turn <= 1000; turn++) {
    const now = await change(turn)
    if (now.updated_at !== task.updated_at) return now
  }
  throw new Error('updated_at never moves')
}

describe('PATCH', () => {
  test.each([
    [{ title: 'Two' }],
    [{ description: 'e' }],
    [{ description: null }],
    [{ description: '' }],
    [{ status: 'Done' }],
    [{ title: 'Two', description: null, status: 'Todo' }],
  ])('changes what is sent and nothing else: %j', async (patch) => {
    const task = await create()
    const answer = await send('PATCH', task.id, patch)
    expect(answer.status).toBe(200)
    expect(answer.json()).toEqual({ ...task, ...patch, updated_at: answer.json().updated_at })
    expect((await ann.call(`/tasks/${task.id}`)).text).toBe(answer.text)
  })

  test('is also taken as application/merge-patch+json', async () => {
    const { id } = await create()
    for (const type of [
      'application/merge-patch+json',
      'application/json; charset=utf-8',
      'Application/JSON;charset="UTF-8"',
    ])
      expect((await send('PATCH', id, { title: type }, type)).json().title).toBe(type)
  })

  test.each([{}, { title: 'One' }, { description: 'd' }, full])(
    'that changes nothing leaves updated_at alone: %j',
    async (patch) => {
      const task = await create()
      const moved = await changedLater(task, async (turn) =>
        (await send('PATCH', task.id, { ...full, description: `${turn}` })).json<Task>(),
      )
      const same = { ...patch, ...('description' in patch && { description: moved.description }) }
      for (let again = 0; again < 3; again++)
        expect((await send('PATCH', task.id, same)).json()).toEqual(moved)
    },
  )

  test('moves updated_at forward and never created_at', async () => {
    const task = await create()
    let last = task
    for (let change = 0; change < 3; change++) {
      const next = await changedLater(last, async (turn) =>
        (await send('PATCH', task.id, { title: `${change}.${turn}` })).json<Task>(),
      )
      expect(next.updated_at > last.updated_at).toBe(true)
      expect(next.created_at).toBe(task.created_at)
      last = next
    }
  })

  test('sees null as a value: no description and an empty one are two states', async () => {
    const { id } = await create({ title: 'x' })
    const states = [null, '', null, 'null', null]
    for (const description of states)
      expect((await send('PATCH', id, { description })).json().description).toBe(description)
  })
})

describe('PUT', () => {
  test('to an id without a task creates it: 201 and Location; then it replaces: 200', async () => {
    const id = randomUUID()
    const first = await send('PUT', id, { title: 'One' })
    expect(first.status).toBe(201)
    expect(first.headers.get('location')).toBe(`/api/v1/tasks/${id}`)
    const task = first.json<Task>()
    expect(task).toMatchObject({ id, title: 'One', description: null, status: 'Todo', owner_id: ann.id })
    expect(task.updated_at).toBe(task.created_at)
    const second = await send('PUT', id, full)
    expect(second.status).toBe(200)
    expect(second.headers.has('location')).toBe(false)
    expect(second.json()).toEqual({ ...task, ...full, updated_at: second.json().updated_at })
    expect((await ann.call(`/tasks/${id}`)).text).toBe(second.text)
  })

  test('writes the fields it names and keeps the rest', async () => {
    const task = await create(full)
    const answer = await send('PUT', task.id, { title: 'Two' })
    expect(answer.json()).toEqual({ ...task, title: 'Two', updated_at: answer.json().updated_at })
    const cleared = await send('PUT', task.id, { title: 'Two', description: null })
    expect(cleared.json()).toMatchObject({ title: 'Two', description: null, status: task.status })
  })

  test('that changes nothing leaves updated_at alone', async () => {
    const task = await create(full)
    expect((await send('PUT', task.id, { title: full.title })).json()).toEqual(task)
  })

  test('repeated changes nothing, updated_at included', async () => {
    const task = await create()
    const moved = await changedLater(task, async (turn) =>
      (await send('PUT', task.id, { ...full, title: `${turn}` })).json<Task>(),
    )
    for (let again = 0; again < 3; again++)
      expect((await send('PUT', task.id, { ...full, title: moved.title })).json()).toEqual(moved)
    const next = await changedLater(moved, async (turn) =>
      (await send('PUT', task.id, { ...full, title: `again ${turn}` })).json<Task>(),
    )
    expect(next.updated_at > moved.updated_at).toBe(true)
  })

  test('of one task by many at once makes it once', async () => {
    const id = randomUUID()
    const answers = await Promise.all(Array.from({ length: 10 }, () => send('PUT', id, full)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(9).fill(200), 201])
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  })
})

describe('an id', () => {
  test('is any UUID, and comes back in lower case', async () => {
    const ids = [
      '00000000-0000-0000-0000-000000000000',
      'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
      randomUUID().toUpperCase(),
      '6BA7B810-9DAD-11D1-80B4-00C04FD430C8',
    ]
    for (const id of ids) {
      const made = await send('PUT', id, { title: id })
      expect(made.status).toBe(201)
      expect(made.json().id).toBe(id.toLowerCase())
      expect(made.headers.get('location')).toBe(`/api/v1/tasks/${id.toLowerCase()}`)
      for (const spelled of [id.toLowerCase(), id.toUpperCase()])
        expect((await ann.call(`/tasks/${spelled}`)).text).toBe(made.text)
      expect((await send('PATCH', id.toUpperCase(), { status: 'Done' })).status).toBe(200)
      expect((await ann.call(`/tasks/${id}`, { method: 'DELETE' })).status).toBe(204)
    }
  })

  test.each([
    '1',
    'null',
    'undefined',
    'x'.repeat(200),
    '01234567-89ab-cdef-0123-456789abcdeg',
    '0123456789abcdef0123456789abcdef',
    '%7B01234567-89ab-cdef-0123-456789abcdef%7D',
    'urn:uuid:01234567-89ab-cdef-0123-456789abcdef',
    '01234567-89ab-cdef-0123-456789abcdef%0A',
    '%EF%BC%901234567-89ab-cdef-0123-456789abcdef',
  ])('%s is none: 404, and 422 for PUT', async (id) => {
    for (const method of ['GET', 'DELETE'])
      expect((await ann.call(`/tasks/${id}`, { method })).status).toBe(404)
    expect((await send('PATCH', id, {})).status).toBe(404)
    const put = await send('PUT', id, { title: 'x' })
    expect(put.status).toBe(422)
    expect(put.json().errors).toEqual([
      { in: 'path', path: '/id', code: 'invalid', detail: 'must be a UUID' },
    ])
  })
})
