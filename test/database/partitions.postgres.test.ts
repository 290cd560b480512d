import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, openPostgres } from '../../src/database/database.ts'
import {
  createTask,
  deleteTask,
  getTask,
  listTasks,
  patchTask,
  putTask,
  taskStatements,
} from '../../src/tasks/statements.ts'
import { askOne } from '../support/ask.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { admin } from '../support/real-postgres.ts'

/** What docs/SCALING.md says an operator would run: the same table, cut by its owners. */
const partitioned = `
  alter table docket.tasks rename to tasks_whole;
  create table docket.tasks (like docket.tasks_whole including all) partition by hash (owner_id);
  create table docket.tasks_0 partition of docket.tasks for values with (modulus 2, remainder 0);
  create table docket.tasks_1 partition of docket.tasks for values with (modulus 2, remainder 1);
  alter table docket.tasks enable row level security;
  alter table docket.tasks force row level security;
  create policy tasks_own on docket.tasks for all to docket_app
    using (owner_id = nullif(current_setting('app.user_id', true), ''))
    with check (owner_id = nullif(current_setting('app.user_id', true), ''));
  grant select, insert, delete on docket.tasks to docket_app;
  grant update (title, description, status, updated_at) on docket.tasks to docket_app;
  create trigger tasks_counted after insert or delete on docket.tasks
    for each row execute function docket.count_tasks();
  create trigger tasks_resized after update of title, description on docket.tasks
    for each row execute function docket.resize_tasks();
  drop table docket.tasks_whole`

let postgres: FreshDatabase
let database: Database
const fields = { title: 'x', description: null, status: 'Todo' }

beforeAll(async () => {
  postgres = await freshDatabase()
  await admin(postgres.url, partitioned)
  const log = pino({ level: 'silent' })
  database = await openPostgres({ url: postgres.url, statements: taskStatements, log })
})
afterAll(async () => {
  await database.close()
  await postgres.drop()
})

test('cut into hash partitions by owner, the statements find an owner in one of them, and count', async () => {
  const owners = Array.from({ length: 20 }, () => `owner-${randomUUID()}`)
  for (const owner of owners) {
    const id = randomUUID()
    await askOne(database, owner, createTask, { id, given: fields })
    const patch = { id, given: { title: 'longer' } }
    expect(await askOne(database, owner, patchTask, patch)).toMatchObject({ title: 'longer' })
    expect(await askOne(database, 'nobody', getTask, { id })).toBeNull()
    expect((await askOne(database, owner, listTasks, { limit: 9, skip: 0 })).json).toContain(id)
    expect(await askOne(database, owner, deleteTask, { id })).toBe(true)
    await askOne(database, owner, createTask, { id, given: fields })
  }
  const spread = await admin(postgres.url, 'select tableoid::regclass::text from docket.tasks group by 1')
  expect(spread).toHaveLength(2)
  const counted = await admin(postgres.url, 'select distinct task_count, byte_count::int from docket.owners')
  expect(counted).toEqual([{ task_count: 1, byte_count: 401 }])
})

test('a put alone does not run there: no row of a partitioned table has an xmax to return', async () => {
  const put = askOne(database, 'ann', putTask, { id: randomUUID(), given: fields })
  await expect(put).rejects.toMatchObject({ cause: { code: '0A000' } })
})
