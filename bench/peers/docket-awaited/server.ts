/**
 * Docket with one part exchanged: each request takes a connection of `pg`'s pool and awaits BEGIN, its owner, its
 * statement and COMMIT one after the other, as a query builder's transaction does. All else is the product's.
 */
import pg from 'pg'
import { loadConfig } from '../../../src/config.ts'
import { enter } from '../../../src/database/batch/batch.ts'
import { databaseOn } from '../../../src/database/database.ts'
import { listen } from '../../../src/http/server/server.ts'
import { wire } from '../../../src/index.ts'
import { createLog } from '../../../src/log.ts'

const { config, secrets } = loadConfig(process.env)
const { log } = await createLog(config.logLevel)
const pool = new pg.Pool({
  connectionString: secrets.databaseUrl?.reveal(),
  max: Number(process.env.POOL_SIZE),
})

/** Every value as Postgres sends it, as in the product. */
const asText = { getTypeParser: () => String }

const database = databaseOn({
  reachable: () => true,
  isolated: () => true,
  waiting: () => pool.waitingCount,
  close: () => pool.end(),
  run: async ({ owner, questions }) => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      await client.query({ name: 'enter', text: enter(), values: [owner] })
      const results: string[][][] = []
      for (const { statement, values } of questions) {
        const { name, text } = statement
        const query = { name, text, values: [...values(owner)], types: asText, rowMode: 'array' as const }
        results.push((await client.query<string[]>(query)).rows)
      }
      await client.query('commit')
      return results
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  },
})

const origin = `http://${config.host}:${config.port}`
const issuerPool = () => ({ pool, close: () => Promise.resolve() })
const api = await wire({ config, secrets, log, origin, open: async () => ({ database, issuerPool }) })
await listen({
  host: config.host,
  port: config.port,
  production: config.production,
  log,
  fetch: (request, bindings) => api.fetch(request, bindings),
})
