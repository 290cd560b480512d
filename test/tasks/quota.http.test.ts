import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApi, type TestApi } from '../support/api.ts'

const quota = 5
let api: TestApi
beforeAll(async () => {
  api = await startApi({ TASK_QUOTA: String(quota) })
})
afterAll(() => api.close())

const statuses = (answers: { status: number }[]) => answers.map(({ status }) => status).sort()

test('of many creates at once exactly as many succeed as the quota allows', async () => {
  const ann = await api.newOwner()
  const creates = Array.from({ length: 20 }, (_, i) => ann.call('/tasks', { body: { title: `${i}` } }))
  const answers = await Promise.all(creates)
  expect(statuses(answers)).toEqual([...Array(quota).fill(201), ...Array(20 - quota).fill(409)])
  const refused = answers.find(({ status }) => status === 409)
  expect(refused?.json()).toMatchObject({ code: 'quota_exceeded', status: 409 })
  expect((await ann.call('/tasks')).json<unknown[]>()).toHaveLength(quota)
})

test('a PUT that creates counts, one that replaces does not', async () => {
  const ann = await api.newOwner()
  const put = (n: number) =>
    ann.call(`/tasks/00000000-0000-7000-8000-00000000000${n}`, { method: 'PUT', body: { title: 'x' } })
  for (let n = 0; n < quota; n++) expect((await put(n)).status).toBe(201)
  expect((await put(9)).json().code).toBe('quota_exceeded')
  expect((await put(0)).status).toBe(200)
})

test('a deleted task makes room, and only one', async () => {
  const ann = await api.newOwner()
  const ids: unknown[] = []
  for (let n = 0; n < quota; n++) ids.push((await ann.call('/tasks', { body: { title: 'x' } })).json().id)
  const gone = await Promise.all([1, 2, 3].map(() => ann.call(`/tasks/${ids[0]}`, { method: 'DELETE' })))
  expect(statuses(gone)).toEqual([204, 404, 404])
  const again = await Promise.all([1, 2, 3].map(() => ann.call('/tasks', { body: { title: 'x' } })))
  expect(statuses(again)).toEqual([201, 409, 409])
})

test("one owner's quota is nobody else's", async () => {
  const [ann, bob] = [await api.newOwner(), await api.newOwner()]
  for (let n = 0; n < quota; n++) await ann.call('/tasks', { body: { title: 'x' } })
  expect((await bob.call('/tasks', { body: { title: 'x' } })).status).toBe(201)
})
