import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, startApi, type TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { bodyOf, operations, pathOf } from '../support/openapi-operations.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'

let postgres: FreshDatabase
let proxy: TcpProxy
let api: TestApi
let ann: Caller
let id: string
/** Connections made by the start. */
let opened: number

beforeAll(async () => {
  postgres = await freshDatabase()
  proxy = await startProxy(postgres.url)
  const environment = { DATABASE_CONNECTIONS: '1', RATE_LIMIT: '0', RATE_LIMIT_ADDRESS: '0' }
  api = await startApi(environment, { databaseUrl: proxy.url })
  opened = proxy.accepted()
  proxy.delay(10)
})
beforeEach(async () => {
  ann = await api.newOwner()
  id = String((await ann.call('/tasks', { body: { title: 'Buy milk' } })).json().id)
})
afterAll(async () => {
  await api.close()
  await proxy.close()
  await postgres.drop()
})

const flightsOf = async (work: () => Promise<unknown>) => {
  const before = proxy.flights()
  await work()
  return proxy.flights() - before
}

const missing = '00000000-0000-4000-8000-000000000000'

test.each<[what: string, status: number, flights: number, path: string, method: string, body?: object]>([
  ['create', 201, 1, '/tasks', 'POST', { title: 'x' }],
  ['list', 200, 1, '/tasks', 'GET'],
  ['read', 200, 1, '/tasks/{id}', 'GET'],
  ['replace', 200, 1, '/tasks/{id}', 'PUT', { title: 'x' }],
  ['change', 200, 1, '/tasks/{id}', 'PATCH', { title: 'x' }],
  ['delete', 204, 1, '/tasks/{id}', 'DELETE'],
  ['read of a missing one', 404, 1, `/tasks/${missing}`, 'GET'],
  ['delete of a missing one', 404, 1, `/tasks/${missing}`, 'DELETE'],
  ['read of what no id can be', 404, 0, '/tasks/no-uuid', 'GET'],
  ['create that is refused', 422, 0, '/tasks', 'POST', { title: '' }],
  ['look at oneself', 200, 0, '/me', 'GET'],
])('%s: %i, in %i database round trips', async (_what, status, flights, path, method, body) => {
  let answered = 0
  const call = async () => {
    answered = (await ann.call(path.replace('{id}', id), { method, body })).status
  }
  expect(await flightsOf(call)).toBe(flights)
  expect(answered).toBe(status)
})

test.each(
  operations
    .filter(({ security }) => security.length > 0)
    .map((each) => ({ ...each, name: `${each.method} ${each.path}` })),
)('$name takes one database round trip at most', async (operation) => {
  const headers = { authorization: `Bearer ${ann.token}` }
  const { method } = operation
  const call = () => api.call(pathOf(operation, id), { method, headers, body: bodyOf(operation) })
  expect(await flightsOf(call)).toBeLessThanOrEqual(1)
})

test('a request without a good token makes none', async () => {
  expect(await flightsOf(() => api.call('/api/v1/tasks'))).toBe(0)
  const headers = { authorization: `Bearer ${ann.token}x` }
  expect(await flightsOf(() => api.call('/api/v1/tasks', { headers }))).toBe(0)
})

test('32 parallel requests on one connection share a few round trips', async () => {
  const statuses: number[] = []
  const callers = await Promise.all(Array.from({ length: 32 }, () => api.newOwner()))
  const all = () =>
    Promise.all(
      callers.map(async (caller) => {
        statuses.push((await caller.call('/tasks')).status)
      }),
    )
  await all()
  expect(await flightsOf(all)).toBeLessThanOrEqual(6)
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(proxy.accepted()).toBe(opened)
})
