import { createHmac, randomBytes } from 'node:crypto'
import type { BetterAuthOptions } from 'better-auth'
import type { PostgresPool } from 'kysely'
import { loadBetterAuth } from '../../config/optional-packages.ts'

/** A `pg.Pool` (the caller adds its `error` listener), or `createPglitePool()`. The caller closes it. */
export type PgPoolLike = PostgresPool

export type BuiltInIssuerOptions = {
  database: PgPoolLike
  /** Where callers reach this server: scheme, host and port, as in `http://127.0.0.1:8000`. */
  origin: string
  /** At least 32 random characters. It encrypts the signing key at rest, so keep it beside the database. */
  secret: string
  /** Receives Better Auth's warnings and errors. Their details are left out: they may contain request data. */
  log?: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void
}

export type BuiltInIssuer = {
  /**
   * Answers everything under `/api/auth`, with Better Auth's own statuses and bodies.
   * Rejects with the database's error; a `code` is its SQLSTATE.
   */
  handler(request: Request): Promise<Response>
  /**
   * The key set that `GET /api/auth/jwks` answers, without a socket. Makes the first key if there is none.
   * Rejects as `handler` does, or with the signal's reason.
   */
  fetchKeys(signal: AbortSignal): Promise<Response>
  readonly issuer: string
  readonly audience: string
  /**
   * A fresh JWT of the demo user. The first call signs that user up. Like every token from here it lives 15 minutes.
   */
  demoToken(): Promise<string>
  /**
   * Updates the schema `auth` in one transaction, one process at a time. A failure changes nothing. Must resolve
   * before any other call. Rejects with the database's error.
   */
  migrate(): Promise<void>
}

const schemaName = 'auth'
const demoEmail = 'demo@docket.localhost'

/**
 * A real Better Auth inside this process, for development. It has three parts: e-mail and password, `jwt` for tokens,
 * and `bearer`, so that `curl` can trade the session token of the sign-up answer for a JWT without a cookie jar.
 * Issuer and audience of its tokens are the origin. It uses only the schema `auth`, and sends no query before
 * `migrate()`.
 *
 * The origin is part of every token, so with `PORT=0` listen first, then construct. Better Auth takes 200 ms and 55 MB
 * to load, so only a call of this function loads it.
 */
export async function createBuiltInIssuer(given: BuiltInIssuerOptions): Promise<BuiltInIssuer> {
  const { betterAuth, bearer, jwt, getMigrations, kysely } = await loadBetterAuth()
  const { Kysely, PostgresDialect, sql } = kysely
  const { origin } = new URL(given.origin)
  const db = new Kysely({ dialect: new PostgresDialect({ pool: given.database }) })
  const database = { db, type: 'postgres', schemaName, transaction: true } as const
  const options = {
    appName: 'Docket',
    baseURL: origin,
    secret: given.secret,
    trustedOrigins: loopbackFormsOf(origin),
    database,
    emailAndPassword: { enabled: true },
    plugins: [jwt(), bearer()],
    telemetry: { enabled: false },
    // `info` would log the e-mail of a repeated sign-up.
    logger: { level: 'warn', log: (level, message) => given.log?.(level, message) },
    // Our code answers and logs unexpected errors. Better Auth would print a stack on the console.
    onAPIError: { throw: true },
    advanced: {
      // Better Auth's default. It is set here because Better Auth drops the check where NODE_ENV is `test`.
      disableOriginCheck: false,
      // `migrate()` has checked the schema already. A second check costs a start 50 to 150 ms on PGlite.
      database: { validateSchema: false },
    },
  } satisfies BetterAuthOptions
  const auth = betterAuth(options)

  // The mark names the plugins that made the tables and the secret that encrypts the keys. A schema's comment goes
  // with the schema.
  const tables = options.plugins.map(({ id, version }) => `${id} ${version}`).join(', ')
  const secretMark = `keys under secret ${fingerprint(given.secret)}`
  const mark = `Better Auth tables for ${tables}; ${secretMark}`
  const migrate = () =>
    db.transaction().execute(async (transaction) => {
      await sql`SELECT pg_advisory_xact_lock(hashtext('docket built-in issuer'))`.execute(transaction)
      const read = sql<{ mark: string | null }>`
        SELECT obj_description(to_regnamespace(${schemaName}), 'pg_namespace') AS mark`
      const found = (await read.execute(transaction)).rows[0]?.mark
      if (found === mark) return
      const { runMigrations } = await getMigrations({
        ...options,
        database: { ...database, db: transaction },
      })
      await runMigrations()
      // The key of another secret can't sign. Expiring it makes room for a new one, and it still verifies.
      if (!found?.endsWith(secretMark)) {
        await sql`
          UPDATE ${sql.table(`${schemaName}.jwks`)} SET "expiresAt" = now() - interval '1 second'
          WHERE "expiresAt" IS NULL OR "expiresAt" > now()`.execute(transaction)
      }
      await sql`COMMENT ON SCHEMA ${sql.ref(schemaName)} IS ${sql.lit(mark)}`.execute(transaction)
    })

  const takeDemoToken = async () => {
    const { internalAdapter } = await auth.$context
    const known = await internalAdapter.findUserByEmail(demoEmail)
    // Nobody keeps the password. The demo user signs in only through this function, and so survives a lost secret.
    const newUser = { name: 'Demo', email: demoEmail, password: randomBytes(32).toString('base64url') }
    const session = known
      ? await internalAdapter.createSession(known.user.id)
      : await auth.api.signUpEmail({ body: newUser }).catch(async (error: unknown) => {
          // Another process may have signed the demo user up in the meantime.
          const made = await internalAdapter.findUserByEmail(demoEmail)
          if (!made) throw error
          return internalAdapter.createSession(made.user.id)
        })
    const { token } = await auth.api.getToken({ headers: { authorization: `Bearer ${session.token}` } })
    return token
  }
  let demo: Promise<string> | undefined

  return {
    handler: (request) => auth.handler(asFromHere(request, origin)),
    fetchKeys: (signal) =>
      Promise.race([auth.handler(new Request(`${origin}/api/auth/jwks`)), rejectionOn(signal)]),
    issuer: origin,
    audience: origin,
    demoToken() {
      // Two concurrent first calls would both sign the demo user up.
      demo ??= takeDemoToken().finally(() => {
        demo = undefined
      })
      return demo
    },
    migrate,
  }
}

/**
 * Node's `fetch` sends `Sec-Fetch-Mode`, and Better Auth then requires an `Origin`, as from a browser. Each browser
 * sends an `Origin` with a POST. So a request without one, and without a cookie that a foreign page could use, comes
 * from a program.
 */
function asFromHere(request: Request, origin: string): Request {
  const speaksForItself = ['origin', 'cookie', 'sec-fetch-site'].some((name) => request.headers.has(name))
  if (speaksForItself || request.method !== 'POST') return request
  const headers = new Headers(request.headers)
  headers.set('origin', origin)
  return new Request(request, { headers })
}

/** A browser may have opened the same loopback server by any of these names. */
function loopbackFormsOf(origin: string): string[] {
  const forms = ['localhost', '127.0.0.1', '[::1]'].map((host) => {
    const url = new URL(origin)
    url.hostname = host
    return url.origin
  })
  return [...new Set([origin, ...forms])]
}

function fingerprint(secret: string): string {
  return createHmac('sha256', secret).update('docket built-in issuer').digest('hex').slice(0, 16)
}

function rejectionOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const rejectNow = () => reject(signal.reason)
    if (signal.aborted) rejectNow()
    else signal.addEventListener('abort', rejectNow, { once: true })
  })
}
