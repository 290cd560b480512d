import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Caller, TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { startDocumentedApi } from '../support/documented-api.ts'
import { bodyOf, operations, pathOf } from '../support/openapi-operations.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { admin } from '../support/real-postgres.ts'

let postgres: FreshDatabase
let proxy: TcpProxy
let api: TestApi
let ann: Caller
beforeAll(async () => {
  postgres = await freshDatabase()
  proxy = await startProxy(postgres.url)
  api = await startDocumentedApi({}, { databaseUrl: proxy.url })
  ann = await api.newOwner()
})
afterAll(async () => {
  await api.close()
  await proxy.close()
  await postgres.drop()
})

const named = operations.map((operation) => ({ ...operation, name: `${operation.method} ${operation.path}` }))
const rows = named.filter(({ path }) => path.startsWith('/api/v1/tasks'))

describe('while something is wrong inside the database', () => {
  beforeAll(() => admin(postgres.url, 'revoke all on docket.tasks from docket_app'))
  afterAll(async () => {
    await admin(
      postgres.url,
      `grant select, insert, delete on docket.tasks to docket_app;
       grant update (title, description, status, updated_at) on docket.tasks to docket_app`,
    )
    expect((await ann.call('/tasks')).status).toBe(200)
  })

  test.each(rows)(
    '$name is 500 with a constant body; the log has the cause under its id',
    async (operation) => {
      const headers = { authorization: `Bearer ${ann.token}`, 'x-request-id': 'wrong-inside' }
      const answer = await api.call(pathOf(operation, randomUUID()), {
        method: operation.method,
        headers,
        body: bodyOf(operation),
      })
      expect(answer.status).toBe(500)
      expect(answer.text).toBe(
        '{"type":"/problems/internal","title":"Internal error","status":500,"code":"internal","detail":"Something went wrong on our side; the request id finds it in our log.","request_id":"wrong-inside"}',
      )
      const line =
        api
          .logged()
          .trim()
          .split('\n')
          .findLast((each) => each.includes('wrong-inside')) ?? ''
      expect(JSON.parse(line)).toMatchObject({ status: 500, level: 50, cause: { code: '42501' } })
    },
  )
})

describe('while the database is out of reach', () => {
  beforeAll(() => proxy.refuse())
  const headers = () => ({ authorization: `Bearer ${ann.token}`, 'x-request-id': 'same' })

  test.each(rows)('$name is 503 and says when to try again', async (operation) => {
    const answer = await api.call(pathOf(operation, randomUUID()), {
      method: operation.method,
      headers: headers(),
      body: bodyOf(operation),
    })
    expect(answer.status).toBe(503)
    expect(answer.json().code).toBe('unavailable')
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  })

  test('whatever needs no row is answered as ever', async () => {
    expect((await ann.call('/me')).json().id).toBe(ann.id)
    expect((await api.call('/api/v1/tasks')).status).toBe(401)
    expect((await ann.call('/tasks', { body: { title: '' } })).status).toBe(422)
    expect((await ann.call('/tasks', { body: '{' })).status).toBe(400)
    expect((await ann.call('/tasks', { body: { title: 'x', owner_id: 'y' } })).status).toBe(403)
    expect((await ann.call('/tasks?limit=0')).status).toBe(422)
    expect((await ann.call('/tasks', { method: 'PUT' })).status).toBe(405)
    expect((await api.call('/livez')).text).toBe('{"status":"ok"}')
    expect((await api.call('/openapi.json')).status).toBe(200)
  })

  test('an id that is no UUID is 404 as ever, and 422 for PUT', async () => {
    expect((await ann.call('/tasks/malformed')).status).toBe(404)
    expect((await ann.call('/tasks/malformed', { method: 'PUT', body: { title: 'x' } })).status).toBe(422)
  })

  test('readiness is 503 with what is wrong', async () => {
    for (const path of ['/readyz', '/health']) {
      const answer = await api.call(path)
      expect(answer.status).toBe(503)
      const state = { database: false, isolation: true, keys: true, serving: true }
      expect(answer.json()).toEqual({ status: 'unavailable', ...state })
      expect(answer.headers.get('retry-after')).toBe('1')
    }
  })
})
