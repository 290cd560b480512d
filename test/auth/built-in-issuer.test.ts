import { randomBytes, randomUUID } from 'node:crypto'
import { PGlite, protocol } from '@electric-sql/pglite'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import {
  type BuiltInIssuer,
  createBuiltInIssuer,
  type PgPoolLike,
} from '../../src/auth/built-in/built-in-issuer.ts'
import { createPglitePool } from '../../src/database/embedded/pglite-pool.ts'

const origin = 'http://127.0.0.1:8000'
const secret = randomBytes(32).toString('base64url')
const password = 'correct horse battery'
const logged: string[] = []

const SignedUp = z.object({ token: z.string(), user: z.object({ id: z.string() }) })
const Issued = z.object({ token: z.string() })
const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

let pglite: PGlite
let pool: PgPoolLike
let issuer: BuiltInIssuer

beforeAll(async () => {
  pglite = await PGlite.create()
  pool = createPglitePool(pglite)
  issuer = await start()
})
afterAll(() => pglite.close())

/** What a start of the process does, on whatever the database holds by then. */
async function start(with_: { database?: PgPoolLike; secret?: string } = {}) {
  const log = (_level: string, message: string) => logged.push(message)
  const started = await createBuiltInIssuer({ database: pool, origin, secret, log, ...with_ })
  await started.migrate()
  return started
}

function post(path: string, body: object, headers: Record<string, string> = {}) {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }
  return issuer.handler(new Request(`${origin}/api/auth${path}`, { ...init, body: JSON.stringify(body) }))
}

const signUp = (headers?: Record<string, string>, email = `${randomUUID()}@example.com`) =>
  post('/sign-up/email', { name: 'Ann', email, password }, headers)

async function verify(token: string, by = issuer) {
  const answer = await by.fetchKeys(AbortSignal.timeout(10_000))
  const keys = createLocalJWKSet(KeySet.parse(await answer.json()))
  return jwtVerify(token, keys, { issuer: by.issuer, audience: by.audience })
}

test('the session token of the sign-up answer buys, without a cookie, a JWT that its own key set verifies', async () => {
  const signedUp = await signUp()
  const { token: session, user } = SignedUp.parse(await signedUp.json())
  for (const bearer of [session, signedUp.headers.get('set-auth-token')]) {
    const headers = { authorization: `Bearer ${bearer}` }
    const answer = await issuer.handler(new Request(`${origin}/api/auth/token`, { headers }))
    const { payload, protectedHeader } = await verify(Issued.parse(await answer.json()).token)
    expect(payload).toMatchObject({ sub: user.id, iss: origin, aud: origin })
    expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: expect.any(String) })
  }
})

test('all its tables stand in the schema auth, and nothing landed in public', async () => {
  const { rows } = await pglite.query<{ place: string }>(`
    SELECT relnamespace::regnamespace || '.' || relname AS place FROM pg_class
    WHERE relkind IN ('r', 'v', 'S') AND relnamespace::regnamespace::text IN ('auth', 'public') ORDER BY 1`)
  const tables = ['account', 'jwks', 'session', 'user', 'verification']
  expect(rows.map((row) => row.place)).toEqual(tables.map((table) => `auth.${table}`))
})

test('the demo user is one user: in calls at once, in later calls, after a restart', async () => {
  const tokens = await Promise.all([issuer.demoToken(), issuer.demoToken()])
  tokens.push(await issuer.demoToken(), await (await start()).demoToken())
  const verified = await Promise.all(tokens.map((token) => verify(token)))
  expect(new Set(verified.map(({ payload }) => payload.sub)).size).toBe(1)
  expect(verified[0]?.payload.email).toBe('demo@docket.localhost')
})

test('two processes that make the demo user at once make one', async () => {
  const other = await PGlite.create()
  const database = createPglitePool(other)
  const [one, two] = [await start({ database }), await start({ database })]
  const tokens = await Promise.all([one.demoToken(), two.demoToken()])
  const verified = await Promise.all(tokens.map((token) => verify(token, one)))
  expect(new Set(verified.map(({ payload }) => payload.sub)).size).toBe(1)
  await other.close()
})

test('a start with another secret signs with a new key, and what the old key signed still verifies', async () => {
  const before = await issuer.demoToken()
  const restarted = await start({ secret: randomBytes(32).toString('base64url') })
  const after = await restarted.demoToken()
  const [old, fresh] = [await verify(before, restarted), await verify(after, restarted)]
  expect(fresh.protectedHeader.kid).not.toBe(old.protectedHeader.kid)
  expect(fresh.payload.sub).toBe(old.payload.sub)
  issuer = await start()
  await verify(await issuer.demoToken())
})

test('a second start reads the mark of the first and leaves the catalog alone', async () => {
  const statements: string[] = []
  const listening: PgPoolLike = {
    end: async () => {},
    async connect() {
      const client = await pool.connect()
      const query = ((sql: string, values: unknown[]) => {
        statements.push(sql)
        return client.query(sql, values)
      }) as typeof client.query
      return { query, release: () => client.release() }
    },
  }
  await start({ database: listening })
  expect(statements).toEqual([
    'begin',
    expect.stringContaining('pg_advisory_xact_lock'),
    expect.stringContaining('obj_description'),
    'commit',
  ])
})

test('a schema that was dropped is made again', async () => {
  const other = await PGlite.create()
  const database = createPglitePool(other)
  await start({ database })
  await other.exec('DROP SCHEMA auth CASCADE')
  const again = await start({ database })
  await verify(await again.demoToken(), again)
  await other.close()
})

test('a migration that fails leaves nothing behind, and works once its cause is gone', async () => {
  const other = await PGlite.create()
  const database = createPglitePool(other)
  await other.exec('CREATE SCHEMA auth; CREATE VIEW auth.verification AS SELECT 1 AS one')
  await expect(start({ database })).rejects.toMatchObject({ code: '42P07' })
  expect((await other.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'auth'`)).rows).toEqual([])
  await other.exec('DROP VIEW auth.verification')
  const fixed = await start({ database })
  await verify(await fixed.demoToken(), fixed)
  await other.close()
})

test('no origin, and its own by either loopback name, may sign up; a foreign one may not', async () => {
  expect((await signUp()).status).toBe(200)
  for (const own of [origin, 'http://localhost:8000']) {
    expect((await signUp({ origin: own })).status).toBe(200)
  }
  for (const foreign of ['http://localhost:3000', 'https://evil.example', 'null']) {
    expect((await signUp({ origin: foreign })).status).toBe(403)
  }
})

test('a program that says how it fetches, as Node does, may sign up and in; with a cookie, or for a page elsewhere, not', async () => {
  const node = { 'sec-fetch-mode': 'cors' }
  expect((await signUp(node)).status).toBe(200)
  for (const foreign of [
    { ...node, cookie: 'better-auth.session_token=x' },
    { ...node, 'sec-fetch-site': 'cross-site' },
    { ...node, origin: 'https://evil.example' },
    { ...node, origin: 'null' },
    { cookie: 'better-auth.session_token=x' },
  ])
    expect((await signUp(foreign)).status, JSON.stringify(foreign)).toBe(403)
})

test('sign-ups at once mix with nobody: not with batches under a role, not with transactions', async () => {
  await pglite.exec(`CREATE ROLE stranger NOLOGIN; CREATE TABLE public.note (batch int, who text);
    GRANT INSERT ON public.note TO stranger`)
  // As an owner batch does it. In somebody else's transaction the role would stay until that one's COMMIT.
  const batch = (number: number) =>
    pglite.runExclusive(() => {
      const sql = `SELECT set_config('role', 'stranger', true); INSERT INTO note VALUES (${number}, current_user)`
      return pglite.execProtocol(protocol.serialize.query(sql))
    })
  const failing = () =>
    pglite.transaction(async (tx) => {
      await tx.query(`INSERT INTO note VALUES (-1, current_user)`)
      await tx.query('SELECT pg_backend_pid()')
      throw new Error('roll back')
    })
  const work: Promise<unknown>[] = []
  const signUps: Promise<Response>[] = []
  for (let number = 0; number < 8; number++) {
    signUps.push(signUp())
    for (let turn = 0; turn < 20; turn++) {
      work.push(batch(number), expect(failing()).rejects.toThrow('roll back'))
      await new Promise(setImmediate)
    }
  }
  const answers = await Promise.all(signUps)
  await Promise.all(work)
  expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(200))
  const ids = await Promise.all(answers.map(async (answer) => SignedUp.parse(await answer.json()).user.id))
  const kept = await pglite.query('SELECT 1 FROM auth.session WHERE "userId" = ANY($1)', [ids])
  expect(kept.rows).toHaveLength(8)
  const notes = await pglite.query('SELECT who, count(*)::int FROM note GROUP BY who')
  expect(notes.rows).toEqual([{ who: 'stranger', count: 160 }])
  await pglite.exec('DROP TABLE public.note; DROP ROLE stranger')
})

test('the key set gives up when its caller does', async () => {
  const held = await pool.connect()
  onTestFinished(() => held.release())
  const caller = new AbortController()
  const keys = issuer.fetchKeys(caller.signal)
  caller.abort(new Error('too slow'))
  await expect(keys).rejects.toThrow('too slow')
  await expect(issuer.fetchKeys(caller.signal)).rejects.toThrow('too slow')
})

test('a failure of the database reaches the caller, and nothing is left half written', async () => {
  const email = `${randomUUID()}@example.com`
  await pglite.exec('ALTER TABLE auth.session RENAME TO gone')
  await expect(signUp({}, email)).rejects.toMatchObject({ code: '42P01' })
  await pglite.exec('ALTER TABLE auth.gone RENAME TO session')
  expect((await pglite.query('SELECT 1 FROM auth.user WHERE email = $1', [email])).rows).toEqual([])
  expect((await signUp({}, email)).status).toBe(200)
})

test('what it logs names neither the user nor the password', async () => {
  const email = `${randomUUID()}@example.com`
  await signUp({}, email)
  logged.length = 0
  expect((await signUp({}, email)).status).toBe(422)
  expect((await post('/sign-in/email', { email, password: 'wrong, but secret' })).status).toBe(401)
  expect(logged).toEqual(['Invalid password'])
})
