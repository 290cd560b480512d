import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Caller, TestApi } from '../support/api.ts'
import { startDocumentedApi, visible } from '../support/documented-api.ts'

let api: TestApi
let ann: Caller
let bob: Caller
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
  bob = await api.newOwner()
})
afterAll(() => api.close())

const withToken = (token: string) =>
  api.call('/api/v1/tasks', { headers: { authorization: `Bearer ${token}` } })
const titles = async (who: Caller) =>
  (await who.call('/tasks')).json<{ title: string }[]>().map(({ title }) => title)

describe('signing in', () => {
  test('no token is 401', async () => {
    const answer = await api.call('/api/v1/tasks')
    expect(answer.status).toBe(401)
    expect(answer.json().code).toBe('unauthenticated')
  })

  test('a broken token is 401', async () => {
    const [header = '', payload = '', signature = ''] = ann.token.split('.')
    const [, foreign = ''] = bob.token.split('.')
    const broken = [
      'garbage',
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      `${header}.${foreign}.${signature}`,
      await api.issuer.token({ iss: 'https://elsewhere.example' }),
      await api.issuer.token({ aud: 'https://elsewhere.example' }),
      await api.issuer.token({ sub: undefined }),
      await api.issuer.token({ exp: undefined }),
    ]
    for (const token of broken) {
      const answer = await withToken(token)
      expect([answer.status, answer.json().code], token).toEqual([401, 'invalid_token'])
    }
  })

  test('an expired token is 401 of its own code', async () => {
    const now = Math.floor(Date.now() / 1000)
    const answer = await withToken(await api.issuer.token({ iat: now - 1000, exp: now - 100 }))
    expect([answer.status, answer.json().code]).toEqual([401, 'token_expired'])
  })

  test('a valid token is served as its user', async () => {
    const made = await ann.call('/tasks', { body: { title: 'Whose?' } })
    expect(made.json().owner_id).toBe(ann.id)
    expect((await ann.call('/me')).json().id).toBe(ann.id)
    expect((await bob.call('/me')).json().id).toBe(bob.id)
  })

  test('any subject that a token can name is an owner of its own', async () => {
    const stem = randomUUID()
    const subjects = [
      stem,
      stem.toUpperCase(),
      ` ${stem}`,
      `${stem} `,
      `${stem}'--`,
      `${stem}\\`,
      `${stem}%`,
      `${stem}😀`,
      `${stem}é`,
      `${stem}e\u0301`,
      '1',
      '0',
      'null',
      '😀'.repeat(255),
    ]
    for (const sub of subjects) {
      const who = await api.newOwner({ sub })
      expect((await who.call('/tasks', { body: { title: sub.slice(0, 80) } })).json().owner_id).toBe(sub)
    }
    for (const sub of subjects) expect(await titles(await api.newOwner({ sub }))).toEqual([sub.slice(0, 80)])
  })
})

describe("one's own tasks", () => {
  test('POST makes one with an id: 201', async () => {
    const made = await ann.call('/tasks', {
      body: { title: 'Buy milk', description: '2 l', status: 'InProgress' },
    })
    expect(made.status).toBe(201)
    expect(made.json()).toMatchObject({ title: 'Buy milk', description: '2 l', status: 'InProgress' })
    expect(made.json().id).toEqual(expect.any(String))
    expect((await ann.call(`/tasks/${made.json().id}`)).text).toBe(made.text)
  })

  test('are read, changed and put by id', async () => {
    const path = `/tasks/${(await ann.call('/tasks', { body: { title: 'One', description: 'd' } })).json().id}`
    const changed = await ann.call(path, { method: 'PATCH', body: { status: 'Done' } })
    expect(changed.json()).toMatchObject({ title: 'One', description: 'd', status: 'Done' })
    const replaced = await ann.call(path, { method: 'PUT', body: { title: 'Two' } })
    expect(replaced.status).toBe(200)
    expect(replaced.json()).toMatchObject({ title: 'Two', description: 'd', status: 'Done' })
    expect((await ann.call(path)).text).toBe(replaced.text)
  })

  test('are all that a list holds', async () => {
    const [cas, dan] = [await api.newOwner(), await api.newOwner()]
    for (const title of ['c1', 'c2']) await cas.call('/tasks', { body: { title } })
    for (const title of ['d1', 'd2']) await dan.call('/tasks', { body: { title } })
    expect(await titles(cas)).toEqual(['c2', 'c1'])
    expect(await titles(dan)).toEqual(['d2', 'd1'])
    expect((await (await api.newOwner()).call('/tasks')).text).toBe('[]')
  })

  test('are deleted: 204 and empty, then 404 for everything but making it anew', async () => {
    const { id } = (await ann.call('/tasks', { body: { title: 'Gone soon' } })).json()
    const deleted = await ann.call(`/tasks/${id}`, { method: 'DELETE' })
    expect([deleted.status, deleted.text]).toEqual([204, ''])
    expect(deleted.headers.has('content-type')).toBe(false)
    for (const call of [{}, { method: 'DELETE' }, { method: 'PATCH', body: {} }])
      expect((await ann.call(`/tasks/${id}`, call)).status).toBe(404)
    expect(await titles(ann)).not.toContain('Gone soon')
    expect((await ann.call(`/tasks/${id}`, { method: 'PUT', body: { title: 'Anew' } })).status).toBe(201)
  })

  test('an empty title is 422', async () => {
    const answer = await ann.call('/tasks', { body: { title: '' } })
    expect(answer.status).toBe(422)
    expect(answer.json()).toMatchObject({ code: 'validation_failed', detail: 'title must not be blank' })
  })
})

describe("another user's id", () => {
  const headers = { 'x-request-id': 'same' }

  test.each([
    ['GET', undefined],
    ['HEAD', undefined],
    ['PATCH', { title: 'taken over' }],
    ['PATCH', {}],
    ['DELETE', undefined],
  ])('gives %s the same bytes as a missing one, and is untouched', async (method, body) => {
    const made = await ann.call('/tasks', { body: { title: 'secret' } })
    const path = `/tasks/${made.json().id}`
    const foreign = await bob.call(path, { method, body, headers })
    const missing = await bob.call(`/tasks/${randomUUID()}`, { method, body, headers })
    expect(foreign.status).toBe(404)
    expect(visible(foreign)).toEqual(visible(missing))
    expect((await ann.call(path)).text).toBe(made.text)
  })

  test("given to PUT makes a task of one's own under it; the other one is untouched by that and by what follows", async () => {
    const made = await ann.call('/tasks', { body: { title: 'secret' } })
    const path = `/tasks/${made.json().id}`
    const own = await bob.call(path, { method: 'PUT', body: { title: 'mine' } })
    expect(own.status).toBe(201)
    expect(own.json()).toMatchObject({ id: made.json().id, owner_id: bob.id, title: 'mine' })
    expect((await ann.call(path)).text).toBe(made.text)
    await bob.call(path, { method: 'PATCH', body: { status: 'Done' } })
    expect((await bob.call(path, { method: 'PUT', body: { title: 'mine 2' } })).status).toBe(200)
    expect((await bob.call(path, { method: 'DELETE' })).status).toBe(204)
    expect((await ann.call(path)).text).toBe(made.text)
  })
})
