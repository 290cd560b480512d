import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, Caller, TestApi } from '../support/api.ts'
import { startDocumentedApi } from '../support/documented-api.ts'
import { admin } from '../support/real-postgres.ts'

let api: TestApi
/** Has 120 tasks that nobody changes. */
let ann: Caller
let all: Task[]
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
  const titles = Array.from({ length: 120 }, (_, index) => `${index}`)
  await Promise.all(titles.map((title) => ann.call('/tasks', { body: { title } })))
  all = tasks(await ann.call('/tasks?limit=500'))
})
afterAll(() => api.close())

type Task = { id: string; title: string; created_at: string; updated_at: string }

const tasks = (answer: Answer) => answer.json<Task[]>()
const ids = (list: readonly Task[]) => list.map(({ id }) => id)

describe('the list', () => {
  test('is newest first', async () => {
    const bob = await api.newOwner()
    const made: unknown[] = []
    for (let count = 0; count < 30; count++)
      made.push((await bob.call('/tasks', { body: { title: `${count}` } })).json().id)
    expect(ids(tasks(await bob.call('/tasks')))).toEqual(made.reverse())
  })

  test('is newest first within one millisecond too, where the ids tell', async () => {
    const bob = await api.newOwner()
    await Promise.all(Array.from({ length: 60 }, (_, i) => bob.call('/tasks', { body: { title: `${i}` } })))
    // Sooner or later many share one; where the table can be reached from here all do.
    if (api.databaseUrl !== '')
      await admin(
        api.databaseUrl,
        `update docket.tasks set created_at = '2026-01-01T00:00:00Z' where owner_id = '${bob.id}'`,
      )
    const listed = tasks(await bob.call('/tasks'))
    expect(listed).toHaveLength(60)
    const sorted = listed.toSorted((a, b) => (a.created_at + a.id < b.created_at + b.id ? 1 : -1))
    expect(ids(listed)).toEqual(ids(sorted))
  })

  test('keeps its order when a task is changed', async () => {
    const bob = await api.newOwner()
    for (const title of ['a', 'b', 'c']) await bob.call('/tasks', { body: { title } })
    const before = tasks(await bob.call('/tasks'))
    await bob.call(`/tasks/${before[2]?.id}`, { method: 'PATCH', body: { title: 'changed' } })
    await bob.call(`/tasks/${before[1]?.id}`, { method: 'PUT', body: { title: 'replaced' } })
    expect(ids(tasks(await bob.call('/tasks')))).toEqual(ids(before))
  })

  test('is a bare array of the same bytes as each task alone', async () => {
    const answer = await ann.call('/tasks?limit=3')
    const each = await Promise.all(all.slice(0, 3).map(({ id }) => ann.call(`/tasks/${id}`)))
    expect(answer.text).toBe(`[${each.map(({ text }) => text).join(',')}]`)
    expect(answer.headers.get('content-type')).toBe('application/json')
  })

  test('of somebody without tasks is an empty array', async () => {
    const nobody = await api.newOwner()
    expect((await nobody.call('/tasks')).text).toBe('[]')
    expect((await nobody.call('/tasks?skip=5')).text).toBe('[]')
  })
})

describe('skip and limit', () => {
  test('are 0 and 100 when they are left out', async () => {
    expect(tasks(await ann.call('/tasks'))).toEqual(all.slice(0, 100))
    expect(tasks(await ann.call('/tasks?skip=10'))).toEqual(all.slice(10, 110))
    expect(tasks(await ann.call('/tasks?limit=7'))).toEqual(all.slice(0, 7))
  })

  test.each([
    [0, 1],
    [0, 500],
    [1, 1],
    [119, 1],
    [119, 500],
    [120, 500],
    [121, 1],
    [100, 100],
    [2 ** 31 - 1, 500],
  ])('skip=%d and limit=%d give that part', async (skip, limit) => {
    const answer = await ann.call(`/tasks?skip=${skip}&limit=${limit}`)
    expect(tasks(answer)).toEqual(all.slice(skip, skip + limit))
  })

  test('cut the whole list without a gap or an overlap', async () => {
    const parts: Task[] = []
    for (let skip = 0; skip < 120; skip += 17)
      parts.push(...tasks(await ann.call(`/tasks?limit=17&skip=${skip}`)))
    expect(parts).toEqual(all)
  })

  test.each([
    'limit=0',
    'limit=501',
    'limit=-1',
    'limit=1.5',
    'limit=1e2',
    'limit=',
    'limit',
    'limit=x',
    'limit=0x10',
    'limit=%201',
    'limit=1_0',
    'limit=Infinity',
    'limit=NaN',
    'limit=null',
    'limit=9223372036854775808',
    'limit=\u0661',
    'limit=1&limit=2',
    'limit=1&limit=1',
    'limit=1%00',
    'skip=-1',
    'skip=-0',
    'skip=2147483648',
    'skip=9223372036854775808',
    'skip=1.0',
    'skip=',
    'skip=+1',
    'skip=a',
    'skip=1&skip=1',
  ])('%s is 422 and named', async (query) => {
    const answer = await ann.call(`/tasks?${query}`)
    expect(answer.status).toBe(422)
    const name = query.startsWith('limit') ? 'limit' : 'skip'
    expect(answer.json().errors).toMatchObject([{ in: 'query', path: `/${name}` }])
    expect(answer.json().detail).toMatch(new RegExp(`^${name} must be a whole number from [01] to \\d+$`))
  })

  test('are both named when both are wrong', async () => {
    const answer = await ann.call('/tasks?limit=0&skip=-1')
    expect(answer.json<{ errors: { path: string }[] }>().errors.map(({ path }) => path)).toEqual([
      '/skip',
      '/limit',
    ])
    expect(answer.json().errors).toMatchObject([{ code: 'out_of_range' }, { code: 'out_of_range' }])
  })

  test('are all that a list takes: an unknown parameter is named, and the known ones listed', async () => {
    const answer = await ann.call('/tasks?owner_id=somebody&Limit=0&status=Done&__proto__[limit]=1')
    expect(answer.status).toBe(422)
    const detail = 'is not a known parameter. Known parameters: skip, limit'
    expect(answer.json().errors).toEqual(
      ['/owner_id', '/Limit', '/status', '/?'].map((path) => ({
        ...{ in: 'query', path, code: 'unknown_parameter', detail },
      })),
    )
  })
})
