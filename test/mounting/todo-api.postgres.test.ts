import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Connection, createTodoApi, type TodoApi } from '../../src/todo-api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { startTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts'

let database: FreshDatabase
let issuer: TokenIssuer
beforeAll(async () => {
  database = await freshDatabase()
  issuer = await startTokenIssuer()
})
afterAll(async () => {
  await Promise.all(apis.map((api) => api.close()))
  await issuer.close()
  await database.drop()
})

const apis: TodoApi[] = []

/** An API as an app would make it, with the lines that it logs. */
function create(environment: Record<string, string | undefined> = {}) {
  const settings: Record<string, string | undefined> = {
    DATABASE_URL: database.url,
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    ...environment,
  }
  const lines: Record<string, unknown>[] = []
  const write = (fields: object) => void lines.push({ ...fields })
  const log = { info: write, warn: write, error: write, fatal: write }
  const api = createTodoApi({ environment: settings, log })
  apis.push(api)
  return { api, settings, lines }
}

async function get(api: TodoApi, path: string, token?: string, connection?: Connection) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await api.fetch(new Request(`http://app.test${path}`, { headers }), connection)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const newToken = () => issuer.token({ sub: randomUUID() })

test('creating an API does no work: the first request opens it, and finds what is wrong', async () => {
  const { api, lines } = create({ DATABASE_URL: undefined, NODE_ENV: 'production' })
  expect(lines).toEqual([])
  const refused = await get(api, '/api/v1/tasks')
  expect(refused.status).toBe(503)
  expect(refused.headers.get('content-type')).toBe('application/problem+json')
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(lines).toMatchObject([{ event: 'not_opened', cause: { message: /DATABASE_URL is missing/ } }])
})

test('why an API cannot be opened is told to its caller outside production only', async () => {
  const wrong = { PORT: 'none' }
  const development = await get(create(wrong).api, '/api/v1/tasks')
  expect(JSON.parse(development.text)).toMatchObject({ code: 'unavailable', detail: /PORT/ })
  const production = await get(create({ ...wrong, NODE_ENV: 'production' }).api, '/api/v1/tasks')
  expect(JSON.parse(production.text).detail).toBe('The API could not start. Its log says why.')
})

test('an API that could not be opened is opened by a later request', async () => {
  const { api, settings } = create({ PORT: 'none' })
  const token = await newToken()
  expect((await get(api, '/api/v1/tasks', token)).status).toBe(503)
  settings.PORT = '8000'
  expect(await get(api, '/api/v1/tasks', token)).toMatchObject({ status: 200, text: '[]' })
})

test('requests that come together open one API', async () => {
  const { api, lines } = create({ PORT: 'none' })
  await Promise.all(Array.from({ length: 5 }, () => get(api, '/api/v1/tasks')))
  expect(lines).toHaveLength(1)
})

test('open() throws what is wrong in one sentence, and resolves once it is right', async () => {
  const { api, settings } = create({ PORT: 'none' })
  await expect(api.open()).rejects.toThrow(/Docket cannot start: 1 setting is wrong[\s\S]+PORT/)
  settings.PORT = '8000'
  await api.open()
  expect((await get(api, '/livez')).status).toBe(200)
})

test('stopServing() before the first request leaves readyz at 503 and serves the rest', async () => {
  const { api } = create()
  api.stopServing()
  expect((await get(api, '/readyz')).status).toBe(503)
  expect((await get(api, '/api/v1/tasks', await newToken())).status).toBe(200)
})

test.each([
  ['that served', true],
  ['that was never opened', false],
])('a closed API %s answers 503, and opens nothing', async (_which, served) => {
  const { api } = create()
  if (served) expect((await get(api, '/livez')).status).toBe(200)
  await api.close()
  expect((await get(api, '/livez')).status).toBe(503)
  await expect(api.open()).rejects.toThrow('The API was closed')
})

test('where no connection is handed on, bad tokens of one caller do not stop another', async () => {
  const { api } = create({ RATE_LIMIT_ADDRESS: '2' })
  for (let time = 1; time <= 5; time++) expect((await get(api, '/api/v1/tasks', 'a.b.c')).status).toBe(401)
  expect((await get(api, '/api/v1/tasks', await newToken())).status).toBe(200)
})

test('openapi() gives the document of the API without opening it', async () => {
  const { api, lines } = create({ PORT: 'none' })
  expect(await api.openapi()).toMatchObject({ openapi: '3.1.0', paths: { '/api/v1/tasks': {} } })
  expect(lines).toEqual([])
})
