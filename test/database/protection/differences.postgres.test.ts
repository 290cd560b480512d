import { randomBytes } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { Session } from '../../../src/database/batch/session.ts'
import { embeddedSession } from '../../../src/database/drivers/session.ts'
import { findDifferences } from '../../../src/database/protection/check.ts'
import { differencesOf } from '../../../src/database/protection/differences.ts'
import { lookAtProtection } from '../../../src/database/protection/facts.ts'
import { madeByMigrations } from '../../../src/database/protection/made-by-migrations.ts'
import { applyMissing } from '../../../src/database/setup/migrate.ts'
import { admin, withDatabase } from '../../support/real-postgres.ts'

type Opened = { session: Session; close(): Promise<void> }

async function onPglite(): Promise<Opened> {
  const pglite = await PGlite.create()
  const session = embeddedSession(pglite)
  await applyMissing(session)
  return { session, close: () => pglite.close() }
}

async function onPostgres(): Promise<Opened> {
  // Not the template of the other tests: a migration there also restores what it should have made.
  const name = `docket_made_${randomBytes(6).toString('hex')}`
  await admin(inject('postgresUrl'), `create database ${name}`)
  const client = new pg.Client({ connectionString: withDatabase(inject('postgresUrl'), name) })
  await client.connect()
  const run = async (text: string) => {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(text)
    return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? []
  }
  const close = async () => {
    await client.end()
    await admin(inject('postgresUrl'), `drop database ${name}`)
  }
  await applyMissing({ run })
  return { session: { run }, close }
}

const open = "owner_id = nullif(current_setting('app.user_id', true), '')"

/** What is done to a database that was migrated, and what is said of it then. */
const cases: [what: string, sql: string, sentences: string[], opens: boolean][] = [
  [
    'a right on a table is gone',
    'revoke insert on docket.tasks from docket_app',
    ['docket_app lacks INSERT on docket.tasks: run npx docket migrate.'],
    false,
  ],
  [
    'a right on a column is gone',
    'revoke update (title) on docket.tasks from docket_app',
    ['docket_app lacks UPDATE (title) on docket.tasks: run npx docket migrate.'],
    false,
  ],
  [
    'the schema is closed',
    'revoke usage on schema docket from docket_app',
    ['docket_app lacks USAGE on schema docket: run npx docket migrate.'],
    false,
  ],
  [
    'a right on a table is added',
    'grant update on docket.tasks to docket_app',
    [
      'docket_app has UPDATE on docket.tasks, which the migrations did not grant: run REVOKE UPDATE on docket.tasks FROM docket_app.',
    ],
    false,
  ],
  [
    'a right on a column is added',
    'grant update (owner_id) on docket.tasks to docket_app',
    [
      'docket_app has UPDATE (owner_id) on docket.tasks, which the migrations did not grant: run REVOKE UPDATE (owner_id) on docket.tasks FROM docket_app.',
    ],
    false,
  ],
  [
    'a right on another table of the schema is added',
    'grant select on docket.rate_windows to docket_app',
    [
      'docket_app has SELECT on docket.rate_windows, which the migrations did not grant: run REVOKE SELECT on docket.rate_windows FROM docket_app.',
    ],
    false,
  ],
  [
    'everybody gets a right',
    'grant select on docket.tasks to public',
    [
      'PUBLIC has SELECT on docket.tasks, which the migrations did not grant: run REVOKE SELECT on docket.tasks FROM PUBLIC.',
    ],
    false,
  ],
  [
    'everybody may call a function',
    'grant execute on function docket.count_tasks() to public',
    [
      'PUBLIC has EXECUTE on routine docket.count_tasks(), which the migrations took away: run npx docket migrate.',
    ],
    false,
  ],
  [
    'a policy is added',
    'create policy leak on docket.tasks using (true)',
    ['docket.tasks has the policy leak, which the migrations did not make: drop it.'],
    true,
  ],
  [
    'a policy is added for docket_app alone, to read',
    'create policy leak on docket.owners for select to docket_app using (true)',
    ['docket.owners has the policy leak, which the migrations did not make: drop it.'],
    true,
  ],
  ...[
    'using (true)',
    'with check (true)',
    `using (${open} or title = 'x')`,
    'to public',
    'to pg_monitor, docket_app',
  ].map((change): [string, string, string[], boolean] => [
    `a policy is changed: ${change}`,
    `alter policy tasks_own on docket.tasks ${change}`,
    [
      'The policy tasks_own of docket.tasks is not the one that the migrations made: drop it, then run npx docket migrate.',
    ],
    true,
  ]),
  [
    'a policy is made restrictive',
    `drop policy tasks_own on docket.tasks;
     create policy tasks_own on docket.tasks as restrictive to docket_app using (${open}) with check (${open})`,
    [
      'The policy tasks_own of docket.tasks is not the one that the migrations made: drop it, then run npx docket migrate.',
    ],
    true,
  ],
  [
    'a policy is gone',
    'drop policy tasks_own on docket.tasks',
    ['docket.tasks lacks the policy tasks_own: run npx docket migrate.'],
    true,
  ],
  [
    'row-level security is not forced',
    'alter table docket.owners no force row level security',
    ['Row-level security is not in force on docket.owners: run npx docket migrate.'],
    true,
  ],
  [
    'row-level security is not enabled',
    'alter table docket.tasks disable row level security',
    ['Row-level security is not in force on docket.tasks: run npx docket migrate.'],
    true,
  ],
  [
    'a trigger is disabled',
    'alter table docket.tasks disable trigger tasks_counted',
    [
      'The trigger tasks_counted of docket.tasks is disabled: run ALTER TABLE docket.tasks ENABLE TRIGGER tasks_counted.',
    ],
    false,
  ],
  [
    'a trigger is gone',
    'drop trigger tasks_resized on docket.tasks',
    ['docket.tasks lacks the trigger tasks_resized: make it as the files in migrations do.'],
    false,
  ],
  [
    'docket_app is made a member of another role',
    'grant pg_read_all_data to docket_app',
    [
      'docket_app is a member of pg_read_all_data, which the migrations did not make: run REVOKE pg_read_all_data FROM docket_app.',
    ],
    false,
  ],
  ['a table is gone', 'drop table docket.owners', ['docket.owners is not there: restore a backup.'], false],
  [
    'several things, the most dangerous first',
    `revoke select, delete on docket.tasks from docket_app; create policy leak on docket.tasks using (true);
     alter table docket.tasks disable trigger tasks_counted`,
    [
      'docket.tasks has the policy leak, which the migrations did not make: drop it.',
      'docket_app lacks DELETE on docket.tasks: run npx docket migrate.',
      'docket_app lacks SELECT on docket.tasks: run npx docket migrate.',
      'The trigger tasks_counted of docket.tasks is disabled: run ALTER TABLE docket.tasks ENABLE TRIGGER tasks_counted.',
    ],
    true,
  ],
]

/** Others may have rights of their own, and tables beside ours. */
const harmless: [what: string, sql: string][] = [
  ['another role may read', 'grant select on all tables in schema docket to pg_monitor'],
  ['another role has a table in the schema', 'create table docket.notes (owner_id text, note text)'],
  [
    'a policy is on a table that the migrations did not make',
    'create table docket.notes (owner_id text); create policy p on docket.notes using (true)',
  ],
  ['an index is added', 'create index on docket.tasks (owner_id, status)'],
  [
    'another trigger is added',
    'create trigger again after insert on docket.tasks for each row execute function docket.count_tasks()',
  ],
]

describe.each([
  ['PGlite', onPglite],
  ['a real Postgres', onPostgres],
])('on %s', (_engine, openOne) => {
  let opened: Opened
  beforeAll(async () => {
    opened = await openOne()
  })
  afterAll(() => opened.close())

  /** What is found after that was done, which it is not afterwards. */
  const foundAfter = async (sql: string) => {
    await opened.session.run(`begin; ${sql}`)
    try {
      return await findDifferences(opened.session)
    } finally {
      await opened.session.run('rollback')
    }
  }

  test('the generated file is what the migrations make', async () => {
    expect(await lookAtProtection(opened.session)).toEqual(madeByMigrations)
    expect(await foundAfter('select 1')).toEqual([])
  })

  test.each(cases)('%s: it is named, with what to do', async (_what, sql, sentences, opens) => {
    const found = await foundAfter(sql)
    expect(found.map(({ sentence }) => sentence)).toEqual(sentences)
    expect(found.some((one) => one.opens)).toBe(opens)
  })

  test.each(harmless)('%s: nothing to say', async (_what, sql) => {
    expect(await foundAfter(sql)).toEqual([])
  })

  test('whatever a login has set for itself changes nothing', async () => {
    const settings = 'set local quote_all_identifiers = on; set local search_path = docket, public'
    expect(await foundAfter(settings)).toEqual([])
    expect(await foundAfter(`${settings}; revoke insert on docket.tasks from docket_app`)).toHaveLength(1)
  })

  test('what a newer program made is not judged', async () => {
    const newer = "insert into docket.migrations values (9999, '9999_later.sql', 'x')"
    expect(await foundAfter(`${newer}; create policy later on docket.tasks using (true)`)).toEqual([])
  })
})

test('a difference says nothing of an order', () => {
  const { rights } = madeByMigrations
  const turned = { ...rights, docket_app: rights.docket_app.toReversed() }
  expect(differencesOf({ ...madeByMigrations, rights: turned })).toEqual([])
})
