import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { loadConfig } from '../../src/config.ts'
import { driverFor } from '../../src/database/drivers/driver.ts'
import { embeddedSession } from '../../src/database/drivers/session.ts'
import { openInMemory } from '../../src/database/embedded/embedded.ts'
import { openEmbeddedDatabase, openPostgresDatabase } from '../../src/database/open.ts'
import { migrate } from '../../src/database/setup/migrate.ts'
import { listen } from '../../src/http/server/server.ts'
import { type OpenDatabaseOf, wire } from '../../src/index.ts'
import { freshDatabase } from './database.ts'
import { faultsOfLog, stringsIn } from './log-check.ts'
import { admin } from './real-postgres.ts'
import { extraSql, testedOperations } from './tested-operations.ts'
import { startTokenIssuer, type TokenIssuer } from './token-issuer.ts'

/** Which database this run of an `*.http.test.ts` file is about. */
export const engine = process.env.TEST_ENGINE === 'postgres' ? 'postgres' : 'pglite'

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; throws when it is none. */
  json<T = Record<string, unknown>>(): T
}

export type Call = {
  method?: string
  headers?: Record<string, string>
  /** Sent as JSON unless it is a string or bytes. */
  body?: unknown
}

/** A caller with an identity of its own; paths are below `/api/v1`. */
export type Caller = {
  readonly id: string
  readonly token: string
  call(path: string, call?: Call): Promise<Answer>
}

export type TestApi = {
  readonly url: string
  readonly issuer: TokenIssuer
  /** Every line logged so far. */
  readonly logged: () => string
  /** The URL of the database; empty on PGlite. */
  readonly databaseUrl: string
  call(path: string, call?: Call): Promise<Answer>
  newOwner(claims?: Record<string, unknown>): Promise<Caller>
  close(): Promise<void>
}

/**
 * The real app on a real server with a fresh database of the engine under test, and an issuer whose tokens it
 * trusts. Nothing is replaced: requests go over HTTP.
 */
export async function startApi(
  environment: Record<string, string> = {},
  overrides: { databaseUrl?: string; onPostgres?: boolean } = {},
): Promise<TestApi> {
  const issuer = await startTokenIssuer()
  const database =
    overrides.databaseUrl === undefined && (engine === 'postgres' || overrides.onPostgres)
      ? await freshDatabase()
      : undefined
  const databaseUrl = overrides.databaseUrl ?? database?.url ?? ''
  const { config, secrets } = loadConfig({
    NODE_ENV: 'test',
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    // Off unless a test is about them: suites ask more in a minute than people do.
    RATE_LIMIT: '0',
    RATE_LIMIT_ADDRESS: '0',
    // Repeats have their own lines then, each of which is held against the declared events.
    LOG_LEVEL: 'debug',
    ...(databaseUrl && { DATABASE_URL: databaseUrl }),
    ...environment,
  })
  const lines: string[] = []
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  const log = pino({ level: config.logLevel, base: null }, sink)
  const sent = new Set<string>()
  const open: OpenDatabaseOf = (common) =>
    databaseUrl === ''
      ? openEmbeddedDatabase({ ...common, open: openPrepared })
      : openPostgresDatabase({
          ...common,
          url: databaseUrl,
          migrationUrl: databaseUrl,
          driver: config.database.kind === 'postgres' ? driverFor(config.database.driver) : 'postgres',
          migrates: false,
          limits: {
            ...common.limits,
            connections: config.database.kind === 'postgres' ? config.database.connections : 4,
          },
        })
  if (extraSql !== undefined && databaseUrl !== '') await admin(databaseUrl, extraSql)
  const api = await wire({
    operations: testedOperations,
    config,
    secrets,
    log,
    origin: 'http://127.0.0.1',
    open,
  })
  const { production } = config
  const server = await listen({ host: '127.0.0.1', port: 0, production, log, fetch: api.fetch })
  const url = `http://127.0.0.1:${server.port}`

  const newOwner = async (claims: Record<string, unknown> = {}): Promise<Caller> => {
    const id = typeof claims.sub === 'string' ? claims.sub : `owner-${randomUUID()}`
    const token = await issuer.token({ sub: id, ...claims })
    for (const secret of [...stringsIn(id), ...token.split('.').slice(1)]) sent.add(secret)
    const bearer = { authorization: `Bearer ${token}` }
    return {
      id,
      token,
      call: (path, call = {}) => {
        for (const text of stringsIn(call.body)) sent.add(text)
        return send(`${url}/api/v1${path}`, { ...call, headers: { ...bearer, ...call.headers } })
      },
    }
  }
  return {
    url,
    issuer,
    databaseUrl,
    logged: () => lines.join(''),
    call: (path, call) => send(`${url}${path}`, call),
    newOwner,
    close: async () => {
      api.stopServing()
      await server.close(0)
      await api.close()
      await issuer.close()
      await database?.drop()
      // Whatever the suite was about: its log says nothing that could hurt.
      const faults = faultsOfLog(lines, sent)
      if (faults.length > 0) throw new Error(`The log is not as it should be:\n${faults.join('\n')}`)
    },
  }
}

/** In memory, and migrated when it has to hold more than the migrations make. */
async function openPrepared() {
  const embedded = await openInMemory()
  if (extraSql === undefined) return embedded
  await migrate(embeddedSession(embedded.pglite))
  await embedded.pglite.exec(extraSql)
  return embedded
}

async function send(url: string, { method, headers = {}, body }: Call = {}): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined
      ? {}
      : { body: raw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
}
