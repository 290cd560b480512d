import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, Caller, TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { startDocumentedApi, visible } from '../support/documented-api.ts'
import { type NeonStandIn, startNeonStandIn } from '../support/neon-stand-in.ts'
import { bodyOf, type DocumentedOperation, operationsOnIds, pathOf } from '../support/openapi-operations.ts'

/** The same requests, on the same rows, by way of each driver. */
let postgres: FreshDatabase
let neon: NeonStandIn
const drivers = ['neon-http', 'neon-ws'] as const
const apis = new Map<string, TestApi>()

beforeAll(async () => {
  postgres = await freshDatabase()
  neon = await startNeonStandIn()
  for (const driver of ['postgres', ...drivers])
    apis.set(driver, await startDocumentedApi({ DATABASE_DRIVER: driver }, { databaseUrl: postgres.url }))
})
afterAll(async () => {
  for (const api of apis.values()) await api.close()
  await neon.close()
  await postgres.drop()
})

const api = (driver: string) => apis.get(driver) ?? expect.fail(`no API on ${driver}`)

/** The API on a driver, as two owners who are the same on every driver. */
const [annsId, bobsId] = [`ann-${randomUUID()}`, `bob-${randomUUID()}`]
const ownersOn = async (driver: string) => {
  const [ann, bob] = [
    await api(driver).newOwner({ sub: annsId }),
    await api(driver).newOwner({ sub: bobsId }),
  ]
  return { ann, bob }
}

const attempt = (driver: string, who: Caller, operation: DocumentedOperation, id: string): Promise<Answer> =>
  api(driver).call(pathOf(operation, id), {
    method: operation.method,
    headers: { authorization: `Bearer ${who.token}`, 'x-request-id': 'same' },
    body: bodyOf(operation),
  })

/** What is the same whenever it was asked. */
const lasting = (answer: Answer) => {
  const { status, headers, text } = visible(answer)
  const instants = /"(created_at|updated_at)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g
  return { status, headers, text: text.replaceAll(instants, '"$1":"an instant"') }
}

test('each driver takes its own way', async () => {
  const [requests, sockets] = [neon.requests().length, neon.sockets()]
  await (await api('postgres').newOwner()).call('/tasks')
  expect([neon.requests().length, neon.sockets()]).toEqual([requests, sockets])
  await (await api('neon-http').newOwner()).call('/tasks')
  expect([neon.requests().length, neon.sockets()]).toEqual([requests + 1, sockets])
  expect(sockets).toBeGreaterThan(0)
})

const named = operationsOnIds.map((operation) => ({
  ...operation,
  name: `${operation.method} ${operation.path}`,
}))

describe.each(drivers)('by way of %s', (driver) => {
  test.each(named)('$name answers as over TCP: own, foreign and missing', async (operation) => {
    const [through, direct] = [await ownersOn(driver), await ownersOn('postgres')]
    const [own, foreign, missing] = [randomUUID(), randomUUID(), randomUUID()]
    const reset = async () => {
      for (const [who, id] of [
        [direct.ann, own],
        [direct.bob, foreign],
      ] as const)
        await who.call(`/tasks/${id}`, {
          method: 'PUT',
          body: { title: 'Grüße, 世界 \\ "x"', description: '\n' },
        })
      await direct.ann.call(`/tasks/${foreign}`, { method: 'DELETE' })
      await direct.ann.call(`/tasks/${missing}`, { method: 'DELETE' })
    }
    for (const id of [own, foreign, missing]) {
      await reset()
      const expected = lasting(await attempt('postgres', direct.ann, operation, id))
      await reset()
      expect(lasting(await attempt(driver, through.ann, operation, id)), id).toEqual(expected)
    }
    await direct.ann.call(`/tasks/${own}`, { method: 'DELETE' })
  })

  test('what is made there is read over TCP byte for byte, and the other way round', async () => {
    const [through, direct] = [await ownersOn(driver), await ownersOn('postgres')]
    const odd = { title: ' \u007f‮👩‍👩‍👧 ', description: `${'ÿ'.repeat(9_000)}\u2028`, status: 'Done' }
    for (const [maker, reader] of [
      [through.ann, direct.ann],
      [direct.ann, through.ann],
    ] as const) {
      const made = await maker.call('/tasks', { body: odd })
      expect(made.status).toBe(201)
      const { id } = made.json()
      expect((await reader.call(`/tasks/${id}`)).text).toBe(made.text)
      expect((await reader.call('/tasks')).text).toBe((await maker.call('/tasks')).text)
      expect((await maker.call(`/tasks/${id}`, { method: 'DELETE' })).status).toBe(204)
    }
  })

  test('many owners in parallel see their own alone', async () => {
    const owners = await Promise.all(Array.from({ length: 12 }, () => api(driver).newOwner()))
    const listed = await Promise.all(
      owners.map(async (owner) => {
        const titles = ['a', 'b', 'c', 'd'].map((word) => `${owner.id} ${word}`)
        const made = await Promise.all(titles.map((title) => owner.call('/tasks', { body: { title } })))
        expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 201])
        const list = (await owner.call('/tasks')).json<{ title: string; owner_id: string }[]>()
        expect(list.map(({ title }) => title).toSorted()).toEqual(titles)
        return list.map(({ owner_id }) => owner_id)
      }),
    )
    expect(listed).toEqual(owners.map(({ id }) => Array(4).fill(id)))
  })
})
