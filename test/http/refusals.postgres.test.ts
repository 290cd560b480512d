import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Caller, startApi, type TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { cleanUp, startDocket } from '../support/process.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'

let postgres: FreshDatabase
let proxy: TcpProxy
let api: TestApi
let ann: Caller
beforeAll(async () => {
  postgres = await freshDatabase()
  proxy = await startProxy(postgres.url)
  // In production every header there is gets sent.
  api = await startApi(
    { NODE_ENV: 'production', CORS_ORIGINS: 'https://app.example.com' },
    { databaseUrl: proxy.url },
  )
  ann = await api.newOwner()
  expect((await ann.call('/tasks')).status).toBe(200)
})
afterAll(async () => {
  await api.close()
  await proxy.close()
  await postgres.drop()
})

const hstsPattern = /\r\nstrict-transport-security: max-age=31536000; includeSubDomains\r\n/

/** All that the server sends until it hangs up. */
async function bytesOf(request: string): Promise<string> {
  const { hostname, port } = new URL(api.url)
  const socket = connect(Number(port), hostname)
  socket.write(request, 'latin1')
  return (await buffer(socket)).toString('latin1')
}

const head = (first: string, more = '') =>
  `${first} HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example.com\r\nConnection: close\r\n${more}\r\n`
const authorized = () => `Authorization: Bearer ${ann.token}\r\n`

const refused: [what: string, status: number, request: () => string][] = [
  ['no token', 401, () => head('GET /api/v1/tasks')],
  ['a token that is none', 401, () => head('GET /api/v1/tasks', 'Authorization: Bearer x\r\n')],
  ['a token of 8 kB', 401, () => head('GET /api/v1/tasks', `Authorization: Bearer ${'x'.repeat(8192)}\r\n`)],
  [
    'a token with a broken signature',
    401,
    () => head('GET /api/v1/tasks', `Authorization: Bearer ${ann.token}x\r\n`),
  ],
  ['no token, and a body', 401, () => `${head('POST /api/v1/tasks', 'Content-Length: 13\r\n')}{"title":"x"}`],
  ['two tokens', 400, () => head('GET /api/v1/tasks', authorized() + authorized())],
  ['two Host', 400, () => head('GET /api/v1/tasks', `${authorized()}Host: y\r\n`)],
  ['absolute form', 400, () => head('GET http://x/api/v1/tasks', authorized())],
  ['an encoded dot segment', 400, () => head('GET /api/v1/%2e%2e/v1/tasks', authorized())],
  ['no HTTP', 400, () => 'hello\r\n\r\n'],
  ['20 kB of headers', 400, () => head('GET /api/v1/tasks', `X-A: ${'x'.repeat(20_000)}\r\n`)],
  [
    'a body that is too large',
    413,
    () =>
      head(
        'POST /api/v1/tasks',
        `${authorized()}Content-Type: application/json\r\nContent-Length: 256001\r\n`,
      ),
  ],
  ['a body that is not JSON', 415, () => head('POST /api/v1/tasks', `${authorized()}Content-Length: 0\r\n`)],
  [
    'a body that cannot be read',
    400,
    () =>
      `${head('POST /api/v1/tasks', `${authorized()}Content-Type: application/json\r\nContent-Length: 1\r\n`)}{`,
  ],
  ['another method', 405, () => head('PROPFIND /api/v1/tasks', authorized())],
  ['no such path', 404, () => head('GET /api/v1/nope', authorized())],
  ['no such id', 404, () => head('GET /api/v1/tasks/x', authorized())],
]

describe('a refusal is under 1 kB and sends nothing to the database', () => {
  test.each(refused)('%s: %i', async (_, status, request) => {
    const before = [proxy.flights(), proxy.accepted()]
    const answer = await bytesOf(request())
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer.length).toBeLessThan(1000)
    expect([proxy.flights(), proxy.accepted()]).toEqual(before)
    expect(answer).toMatch(hstsPattern)
  })
})

test('in production a refused token is told nothing but that it is refused, whatever is wrong with it', async () => {
  const tokens = [
    'session-token-of-better-auth',
    `${ann.token}x`,
    await api.issuer.token({ aud: 'https://other.example' }),
    await api.issuer.token({ iss: `${api.issuer.issuer}/` }),
  ]
  for (const token of tokens) {
    const answer = await api.call('/api/v1/me', { headers: { authorization: `Bearer ${token}` } })
    expect(answer.json()).toMatchObject({
      status: 401,
      detail: 'The token was not accepted; sign in again to get another one.',
    })
  }
})

test('in production every answer tells browsers to keep to HTTPS', async () => {
  const answers = [
    await ann.call('/tasks'),
    await ann.call('/tasks', { body: { title: 'x' } }),
    await api.call('/livez'),
    await api.call('/docs'),
    await api.call('/openapi.json'),
    await api.call('/nope'),
    await api.call('/api/v1/tasks', { method: 'OPTIONS' }),
  ]
  for (const { headers } of answers)
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains')
})

test('the command does so too, also for what the app never gets to see', async () => {
  const server = await startDocket({
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    DATABASE_URL: postgres.url,
    AUTH_JWKS_URL: api.issuer.url,
    AUTH_ISSUER: api.issuer.issuer,
    AUTH_AUDIENCE: api.issuer.audience,
  })
  try {
    const { hostname, port } = new URL(server.url)
    for (const request of ['hello\r\n\r\n', 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n']) {
      const socket = connect(Number(port), hostname)
      socket.write(request)
      expect((await buffer(socket)).toString('latin1')).toMatch(hstsPattern)
    }
  } finally {
    await cleanUp()
  }
}, 60_000)
