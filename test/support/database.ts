import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { admin, withDatabase } from './real-postgres.ts'

export type FreshDatabase = { readonly url: string; readonly name: string; drop(): Promise<void> }

/** A migrated, empty database on the real Postgres of this run, for one test file. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const server = inject('postgresUrl')
  const name = `docket_test_${randomBytes(6).toString('hex')}`
  await admin(server, `create database ${name} template ${inject('templateName')}`)
  return {
    name,
    url: withDatabase(server, name),
    drop: async () => {
      await admin(server, `drop database if exists ${name} with (force)`)
    },
  }
}
