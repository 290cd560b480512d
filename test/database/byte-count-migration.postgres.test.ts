import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { migratePostgres } from '../../src/database/open.ts'
import { readMigrations } from '../../src/database/setup/migrate.ts'
import { admin, withDatabase } from '../support/real-postgres.ts'

const name = `docket_bytes_${randomBytes(6).toString('hex')}`
const server = inject('postgresUrl')
const url = withDatabase(server, name, { name, password: 'secret' })

/** The database of a plain owner, as it was before bytes were counted, with the tasks of three owners. */
beforeAll(async () => {
  await admin(
    server,
    `create role ${name} login createrole password 'secret'; grant docket_app to ${name} with admin option`,
  )
  await admin(server, `create database ${name} owner ${name}`)
  await admin(
    url,
    `create schema docket; create table docket.migrations (
      version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`,
  )
  for (const { version, name, sql, checksum } of (await readMigrations()).filter(
    ({ version }) => version < 4,
  )) {
    await admin(url, sql)
    await admin(url, `insert into docket.migrations values (${version}, '${name}', '${checksum}')`)
  }
  await admin(
    withDatabase(server, name),
    `insert into docket.tasks (owner_id, id, title, description)
      select 'owner-' || n % 3, gen_random_uuid(), repeat('é', n), case when n % 2 = 0 then repeat('漢', 50 * n) end
      from generate_series(1, 200) n;
     delete from docket.tasks where owner_id = 'owner-2'`,
  )
})
afterAll(async () => {
  await admin(server, `drop database ${name} with (force)`)
  await admin(server, `drop owned by ${name}; drop role ${name}`)
})

const filesOf = () =>
  admin(
    withDatabase(server, name),
    `select pg_relation_filenode('docket.tasks') as tasks, pg_relation_filenode('docket.owners') as owners`,
  )

test('tasks that were there before are counted, without writing a table anew', async () => {
  const files = await filesOf()
  await migratePostgres({ url, migrationUrl: url })
  expect(await filesOf()).toEqual(files)
  const counts = await admin(
    withDatabase(server, name),
    `select o.owner_id, o.byte_count = coalesce(sum(400 + octet_length(title) + coalesce(octet_length(description), 0)), 0) as exact,
      o.byte_count > 0 as any
    from docket.owners o left join docket.tasks t on t.owner_id = o.owner_id group by o.owner_id order by 1`,
  )
  expect(counts).toEqual([
    { owner_id: 'owner-0', exact: true, any: true },
    { owner_id: 'owner-1', exact: true, any: true },
    { owner_id: 'owner-2', exact: true, any: false },
  ])
})
