import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { createBuiltInIssuer } from '../../src/auth/built-in/built-in-issuer.ts'
import { embeddedSession } from '../../src/database/drivers/session.ts'
import { createPglitePool } from '../../src/database/embedded/pglite-pool.ts'
import { migrate } from '../../src/database/setup/migrate.ts'
import { freshDatabase } from '../support/database.ts'

/** What a fully migrated database says of itself, as its superuser sees it. */
export type Catalog = {
  rows<Row = Record<string, unknown>>(sql: string): Promise<Row[]>
  close(): Promise<void>
}

/** A database of each engine as the migrations leave it, with the tables of the built-in issuer beside ours. */
export const catalogs: [engine: string, open: () => Promise<Catalog>][] = [
  ['PGlite', embeddedCatalog],
  ['a real Postgres', postgresCatalog],
]

async function embeddedCatalog(): Promise<Catalog> {
  const pglite = await PGlite.create()
  await migrate(embeddedSession(pglite))
  await addIssuer(createPglitePool(pglite))
  return {
    rows: async <Row>(sql: string) => (await pglite.query<Row>(sql)).rows,
    close: () => pglite.close(),
  }
}

async function postgresCatalog(): Promise<Catalog> {
  const database = await freshDatabase()
  const pool = new pg.Pool({ connectionString: database.url, max: 1 })
  // It says that it has ended before its session has, which is cut when the database is dropped.
  pool.on('error', () => undefined)
  await addIssuer(pool)
  return {
    rows: async (sql) => (await pool.query(sql)).rows,
    close: async () => {
      await pool.end()
      await database.drop()
    },
  }
}

async function addIssuer(pool: import('kysely').PostgresPool): Promise<void> {
  const issuer = await createBuiltInIssuer({
    database: pool,
    origin: 'http://127.0.0.1',
    secret: 'a secret of more than thirty-two characters',
  })
  await issuer.migrate()
}
