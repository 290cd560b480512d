import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, Caller, TestApi } from '../support/api.ts'
import { startDocumentedApi, visible } from '../support/documented-api.ts'
import {
  bodyOf,
  collectionOf,
  type DocumentedOperation,
  operations,
  operationsOnIds,
  pathOf,
} from '../support/openapi-operations.ts'

let api: TestApi
let ann: Caller
let bob: Caller
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
  bob = await api.newOwner()
})
afterAll(() => api.close())

const named = operationsOnIds.map((operation) => ({
  ...operation,
  name: `${operation.method} ${operation.path}`,
}))
const creating = named.filter(({ method }) => method === 'PUT')
const others = named.filter(({ method }) => method !== 'PUT')

/** Always under the same request id, so that answers can be compared byte for byte. */
function attempt(who: Caller, operation: DocumentedOperation, id: string): Promise<Answer> {
  return api.call(pathOf(operation, id), {
    method: operation.method,
    headers: { authorization: `Bearer ${who.token}`, 'x-request-id': 'same' },
    body: bodyOf(operation),
  })
}

/** A new member of the collection that the operation is about, as its owner reads it. */
async function made(who: Caller, operation: DocumentedOperation) {
  const path = collectionOf(operation)
  const creation = operations.find((each) => each.method === 'POST' && each.path === path)
  if (creation === undefined) throw new Error(`nothing creates what ${operation.path} names`)
  const headers = { authorization: `Bearer ${who.token}` }
  const answer = await api.call(path, { method: 'POST', headers, body: bodyOf(creation) })
  expect(answer.status).toBe(201)
  const id = String(answer.json().id)
  return {
    id,
    read: async () =>
      visible(await api.call(`${path}/${id}`, { headers: { ...headers, 'x-request-id': 'own' } })),
  }
}

async function deleted(who: Caller, operation: DocumentedOperation): Promise<string> {
  const { id } = await made(who, operation)
  const headers = { authorization: `Bearer ${who.token}` }
  const gone = await api.call(`${collectionOf(operation)}/${id}`, { method: 'DELETE', headers })
  expect(gone.status).toBe(204)
  return id
}

test('there are operations on ids to try', () => {
  expect(named.map(({ method }) => method).toSorted()).toEqual(
    expect.arrayContaining(['DELETE', 'GET', 'PATCH', 'PUT']),
  )
})

describe.each(others)('$name', (operation) => {
  test("answers one's own", async () => {
    const own = await made(ann, operation)
    expect((await attempt(ann, operation, own.id)).status).toBeLessThan(300)
  })

  test('gives the same bytes for a foreign, a deleted, a missing and a malformed id', async () => {
    const missing = visible(await attempt(bob, operation, randomUUID()))
    expect(missing.status).toBe(404)
    expect(JSON.parse(missing.text).code).toBe('not_found')
    const foreign = await made(ann, operation)
    const before = await foreign.read()
    const tries = [
      foreign.id,
      foreign.id.toUpperCase(),
      await deleted(bob, operation),
      await deleted(ann, operation),
      'malformed',
      `${foreign.id}x`,
      foreign.id.replaceAll('-', ''),
      `%7B${foreign.id}%7D`,
      encodeURIComponent(`${foreign.id}' or '1'='1`),
      encodeURIComponent(`${foreign.id}\n`),
    ]
    for (const id of tries) expect(visible(await attempt(bob, operation, id)), id).toEqual(missing)
    expect(await foreign.read()).toEqual(before)
  })
})

describe.each(creating)('$name', (operation) => {
  test("replaces one's own", async () => {
    const own = await made(ann, operation)
    expect((await attempt(ann, operation, own.id)).status).toBe(200)
  })

  test('makes a thing of the caller under a foreign, a deleted and a missing id, and tells them apart by nothing', async () => {
    const foreign = await made(ann, operation)
    const before = await foreign.read()
    const answers: Answer[] = []
    const ids = [randomUUID(), foreign.id, await deleted(bob, operation), await deleted(ann, operation)]
    for (const id of ids) {
      const answer = await attempt(bob, operation, id)
      expect(answer.status).toBe(201)
      expect(answer.json()).toMatchObject({ id, owner_id: bob.id })
      answers.push(answer)
    }
    const shapes = answers.map((answer) => {
      const { headers, text } = visible(answer)
      const constant = text.replaceAll(/"(id|created_at|updated_at)":"[^"]*"/g, '"$1":""')
      return { headers: { ...headers, location: '' }, constant }
    })
    for (const shape of shapes) expect(shape).toEqual(shapes[0])
    expect(await foreign.read()).toEqual(before)
  })

  test('refuses a malformed id with 422, naming it', async () => {
    const answer = await attempt(bob, operation, 'malformed')
    expect(answer.status).toBe(422)
    expect(answer.json().errors).toMatchObject([{ in: 'path', path: '/id' }])
  })

  test("what the caller made under a foreign id is gone without touching the owner's", async () => {
    const foreign = await made(ann, operation)
    const before = await foreign.read()
    await attempt(bob, operation, foreign.id)
    const path = `${collectionOf(operation)}/${foreign.id}`
    const headers = { authorization: `Bearer ${bob.token}` }
    expect((await api.call(path, { method: 'DELETE', headers })).status).toBe(204)
    expect((await api.call(path, { headers })).status).toBe(404)
    expect(await foreign.read()).toEqual(before)
  })
})

test('every list holds what its caller made and nothing else', async () => {
  const lists = operations.filter(
    ({ method, path }) =>
      method === 'GET' && operationsOnIds.some((operation) => collectionOf(operation) === path),
  )
  expect(lists.length).toBeGreaterThan(0)
  for (const list of lists) {
    const makes = operationsOnIds.find((operation) => collectionOf(operation) === list.path)
    if (makes === undefined) throw new Error('a list of nothing')
    const [eve, dan] = [await api.newOwner(), await api.newOwner()]
    const own = [await made(eve, makes), await made(eve, makes)]
    await made(dan, makes)
    const answer = await attempt(eve, list, '')
    expect(answer.json<{ id: string }[]>().map(({ id }) => id)).toEqual(own.map(({ id }) => id).reverse())
  }
})
