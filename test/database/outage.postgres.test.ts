import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, startApi, type TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { until } from './gate.ts'

let postgres: FreshDatabase
let proxy: TcpProxy
let api: TestApi
let ann: Caller
beforeAll(async () => {
  postgres = await freshDatabase()
  proxy = await startProxy(postgres.url)
  api = await startApi({ RATE_LIMIT: '0', RATE_LIMIT_ADDRESS: '0' }, { databaseUrl: proxy.url })
  ann = await api.newOwner()
})
afterAll(async () => {
  await api.close()
  await proxy.close()
  await postgres.drop()
})

const linesOf = (event: string) =>
  api
    .logged()
    .split('\n')
    .filter((line) => line.includes(`"event":"${event}"`))

test.each(['read', 'write'])(
  'database gone: every %s is 503 with Retry-After, and it comes back by itself',
  async (kind) => {
    const call = kind === 'read' ? {} : { body: { title: 'x' } }
    const ok = kind === 'read' ? 200 : 201
    const [lost, back] = [linesOf('database_lost').length, linesOf('database_back').length]
    expect((await ann.call('/tasks', call)).status).toBe(ok)
    expect((await api.call('/readyz')).status).toBe(200)

    await proxy.refuse()
    for (let burst = 0; burst < 3; burst++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => ann.call('/tasks', call)))
      for (const answer of answers) {
        expect(answer.status).toBe(503)
        expect(answer.json()).toMatchObject({ code: 'unavailable' })
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      }
    }
    const ready = await api.call('/readyz')
    expect([ready.status, ready.json().database]).toEqual([503, false])
    expect((await api.call('/livez')).status).toBe(200)
    expect(linesOf('database_lost')).toHaveLength(lost + 1)

    await proxy.resume()
    await until(async () => (await api.call('/readyz')).status === 200)
    expect((await ann.call('/tasks', call)).status).toBe(ok)
    expect(linesOf('database_lost')).toHaveLength(lost + 1)
    expect(linesOf('database_back')).toHaveLength(back + 1)
  },
)

test('however many attempts to come back fail, the log says once that it is lost and once that it is back', async () => {
  const [lost, back] = [linesOf('database_lost').length, linesOf('database_back').length]
  proxy.turnAway()
  const tried = proxy.accepted()
  await until(async () => {
    expect((await ann.call('/tasks')).status).toBe(503)
    return proxy.accepted() >= tried + 3
  })
  await proxy.resume()
  await until(async () => (await api.call('/readyz')).status === 200)
  expect(linesOf('database_lost')).toHaveLength(lost + 1)
  expect(linesOf('database_back')).toHaveLength(back + 1)
})

test('what the log says of it names neither password nor address', () => {
  const { password, host } = new URL(proxy.url)
  const [line = ''] = linesOf('database_lost')
  expect(line).not.toContain(`:${password}@`)
  expect(line).not.toContain(`${password}@${host}`)
})
