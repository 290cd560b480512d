import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApi, type TestApi } from '../support/api.ts'
import { admin } from '../support/real-postgres.ts'

let api: TestApi
beforeAll(async () => {
  // Nothing that could sign is configured, so the built-in issuer runs; its tokens are for this origin.
  api = await startApi({ NODE_ENV: 'development', AUTH_JWKS_URL: '', AUTH_ISSUER: '', AUTH_AUDIENCE: '' })
})
afterAll(() => api.close())

const origin = 'http://127.0.0.1'

test('on a real Postgres a user signs up at the built-in issuer and owns what its token creates', async () => {
  const person = { name: 'Ann', email: 'ann@example.com', password: 'correct horse' }
  const signedUp = await api.call('/api/auth/sign-up/email', { body: person, headers: { origin } })
  expect(signedUp.status).toBe(200)
  const { token: session, user } = signedUp.json<{ token: string; user: { id: string } }>()
  const answer = await api.call('/api/auth/token', { headers: { authorization: `Bearer ${session}` } })
  const authorization = `Bearer ${answer.json().token}`
  const made = await api.call('/api/v1/tasks', { body: { title: 'Buy milk' }, headers: { authorization } })
  expect(made.status).toBe(201)
  expect(made.json()).toMatchObject({ owner_id: user.id })
})

test('the session token of the issuer is no access token', async () => {
  const person = { name: 'Bob', email: 'bob@example.com', password: 'correct horse' }
  const { token } = (await api.call('/api/auth/sign-up/email', { body: person, headers: { origin } })).json()
  const refused = await api.call('/api/v1/tasks', { headers: { authorization: `Bearer ${token}` } })
  expect(refused.status).toBe(401)
})

test('the tables of the issuer stay in their own schema, out of reach of the role that serves tasks', async () => {
  const rows = await admin(
    api.databaseUrl,
    `select n.nspname as schema, has_schema_privilege('docket_app', n.oid, 'usage') as reachable
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relname in ('user', 'session', 'jwks')`,
  )
  expect(rows).toEqual([1, 2, 3].map(() => ({ schema: 'auth', reachable: false })))
})

test('what is sent to the issuer is counted too, and what it complains of is not repeated in the log', async () => {
  const large = JSON.stringify({ email: 'x'.repeat(300_000), password: 'y' })
  const refused = await api.call('/api/auth/sign-in/email', { body: large, headers: { origin } })
  expect(refused.status).toBe(413)
  const callbackURL = 'http://evil.example/secret-person'
  const body = { email: 'ann@example.com', password: 'correct horse', callbackURL }
  await api.call('/api/auth/sign-in/email', { body, headers: { origin } })
  expect(api.logged()).toContain('Invalid callbackURL')
  expect(api.logged()).not.toContain('secret-person')
})
