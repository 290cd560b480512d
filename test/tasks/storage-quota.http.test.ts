import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, startApi, type TestApi } from '../support/api.ts'

const quotaBytes = 100_000
const perTask = 400
let api: TestApi
beforeAll(async () => {
  api = await startApi({ STORAGE_QUOTA: String(quotaBytes) })
})
afterAll(() => api.close())

/** A body that counts as that many bytes: a title of 1, and a description of the rest in characters of 2 bytes each. */
const ofBytes = (bytes: number) => ({ title: 'x', description: 'é'.repeat((bytes - perTask - 1) / 2) })
const statuses = (answers: { status: number }[]) => answers.map(({ status }) => status).sort()
const created = async (caller: Caller, body: object) =>
  String((await caller.call('/tasks', { body })).json().id)
const patch = (caller: Caller, id: string, body: object) =>
  caller.call(`/tasks/${id}`, { method: 'PATCH', body })

test('of many creates at once exactly as many succeed as the bytes allow', async () => {
  const ann = await api.newOwner()
  const creates = Array.from({ length: 12 }, () => ann.call('/tasks', { body: ofBytes(20_001) }))
  expect(statuses(await Promise.all(creates))).toEqual([...Array(4).fill(201), ...Array(8).fill(409)])
  expect((await ann.call('/tasks')).json<unknown[]>()).toHaveLength(4)
  expect((await ann.call('/tasks', { body: ofBytes(19_997) })).status).toBe(409)
  expect((await ann.call('/tasks', { body: ofBytes(19_995) })).status).toBe(201)
})

test('of many changes at once exactly as many succeed as the bytes allow', async () => {
  const ann = await api.newOwner()
  const ids = await Promise.all(Array.from({ length: 12 }, () => created(ann, { title: 'x' })))
  const room = quotaBytes - 12 * (perTask + 1)
  const description = 'x'.repeat(Math.floor(room / 10) - 300)
  const answers = await Promise.all(ids.map((id) => patch(ann, id, { description })))
  expect(statuses(answers)).toEqual([...Array(10).fill(200), 409, 409])
})

test('the answer says that it is the storage, how much there is, and what to do', async () => {
  const ann = await api.newOwner()
  const id = await created(ann, { title: 'x' })
  await Promise.all(Array.from({ length: 4 }, () => created(ann, ofBytes(20_001))))
  const detail = 'Storage limit reached (0.1 MB). Delete or shorten tasks first.'
  const longer = ofBytes(20_001)
  for (const refused of [
    await ann.call('/tasks', { body: longer }),
    await patch(ann, id, longer),
    await ann.call(`/tasks/${id}`, { method: 'PUT', body: longer }),
    await ann.call(`/tasks/${crypto.randomUUID()}`, { method: 'PUT', body: longer }),
  ])
    expect(refused.json()).toMatchObject({ status: 409, code: 'quota_exceeded', detail })
})

test('a PUT that replaces counts the difference only', async () => {
  const ann = await api.newOwner()
  const path = `/tasks/${crypto.randomUUID()}`
  for (const [bytes, status] of [
    [20_001, 201],
    [20_001, 200],
    [12_001, 200],
    [20_001, 200],
  ] as const)
    expect((await ann.call(path, { method: 'PUT', body: ofBytes(bytes) })).status).toBe(status)
  const more = Array.from({ length: 6 }, () => ann.call('/tasks', { body: ofBytes(19_999) }))
  expect(statuses(await Promise.all(more))).toEqual([201, 201, 201, 201, 409, 409])
})

test('a task that is deleted or made shorter makes room', async () => {
  const ann = await api.newOwner()
  const ids = await Promise.all(Array.from({ length: 4 }, () => created(ann, ofBytes(20_001))))
  expect((await ann.call('/tasks', { body: ofBytes(20_001) })).status).toBe(409)
  expect((await patch(ann, String(ids[0]), { description: null })).status).toBe(200)
  expect((await ann.call('/tasks', { body: ofBytes(20_001) })).status).toBe(201)
  expect((await ann.call(`/tasks/${ids[1]}`, { method: 'DELETE' })).status).toBe(204)
  expect((await ann.call('/tasks', { body: ofBytes(20_001) })).status).toBe(201)
})

test("one owner's bytes are nobody else's", async () => {
  const [ann, bob] = [await api.newOwner(), await api.newOwner()]
  await Promise.all(Array.from({ length: 4 }, () => created(ann, ofBytes(20_001))))
  expect((await bob.call('/tasks', { body: ofBytes(20_001) })).status).toBe(201)
})
