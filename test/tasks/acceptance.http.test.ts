import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { engine, startApi, type TestApi } from '../support/api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

test(`on ${engine}: a task is created, read, listed, changed, replaced and deleted`, async () => {
  const ann = await api.newOwner()
  const made = await ann.call('/tasks', { body: { title: 'Buy milk' } })
  expect(made.status).toBe(201)
  const task = made.json()
  expect(task).toMatchObject({ title: 'Buy milk', description: null, status: 'Todo', owner_id: ann.id })
  expect(made.headers.get('location')).toBe(`/api/v1/tasks/${task.id}`)
  expect((await ann.call(`/tasks/${task.id}`)).json()).toEqual(task)
  expect((await ann.call('/tasks')).json()).toEqual([task])
  const patched = await ann.call(`/tasks/${task.id}`, { method: 'PATCH', body: { status: 'Done' } })
  expect(patched.json()).toMatchObject({ id: task.id, title: 'Buy milk', status: 'Done' })
  const put = await ann.call(`/tasks/${task.id}`, { method: 'PUT', body: { title: 'New' } })
  expect(put.json()).toMatchObject({ id: task.id, title: 'New', status: 'Todo' })
  expect((await ann.call(`/tasks/${task.id}`, { method: 'DELETE' })).status).toBe(204)
  expect((await ann.call(`/tasks/${task.id}`)).status).toBe(404)
})

test(`on ${engine}: a foreign task and a missing task give the same bytes`, async () => {
  const [ann, bob] = [await api.newOwner(), await api.newOwner()]
  const { id } = (await ann.call('/tasks', { body: { title: 'secret' } })).json()
  const headers = { 'x-request-id': 'same' }
  const foreign = await bob.call(`/tasks/${id}`, { headers })
  const missing = await bob.call(`/tasks/${randomUUID()}`, { headers })
  expect(foreign.status).toBe(404)
  expect(foreign.text).toBe(missing.text)
})
