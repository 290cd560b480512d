import { sql } from 'drizzle-orm'
import { type Cells, defineStatement, owner, raw } from '../../src/database/statements/statement.ts'
import { taskStatements } from '../../src/tasks/statements.ts'
import { createForOther } from './unlocked.ts'

const text = ([row]: readonly Cells[]) => row?.[0] ?? null
const id = sql.placeholder('id')

/** Says who Postgres thinks the caller is, with the word the caller sent along. */
export const whoAmI = defineStatement<{ word: string }, string | null>({
  name: 'who_am_i',
  access: 'read',
  query: raw(
    sql`select concat_ws(' ', ${owner}::text, current_setting('app.user_id'), current_user, ${sql.placeholder('word')}::text)`,
  ),
  rows: text,
})

/** Writes a task, and then fails in the same statement. */
export const writeThenDivide = defineStatement<{ id: string }, string | null>({
  name: 'write_then_divide',
  access: 'write',
  query: raw(sql`with made as (
      insert into docket.tasks (owner_id, id, title) values (${owner}, ${id}, 'left over') returning title
    ) select 1 / (char_length(title) - char_length(title)) from made`),
  rows: text,
})

/** Writes and answers its row, and fails behind that, when the Sync commits. */
export const failAtCommit = defineStatement<{ id: string }, string | null>({
  name: 'fail_at_commit',
  access: 'write',
  query: raw(
    sql`insert into public.marks (owner_id, id) select ${owner}::text, ${id}::uuid from generate_series(1, 2) returning id`,
  ),
  rows: text,
})

/**
 * What `failAtCommit` writes to: its key is only checked when the transaction ends. Not in our schema, where a start
 * refuses rights that the migrations did not grant.
 */
export const marksTable = `
  create table public.marks (owner_id text not null, id uuid not null,
    primary key (owner_id, id) deferrable initially deferred);
  alter table public.marks enable row level security, force row level security;
  create policy marks_own on public.marks for all to docket_app
    using (owner_id = nullif(current_setting('app.user_id', true), ''));
  grant select, insert on public.marks to docket_app`

export const workloadStatements = [...taskStatements, createForOther, whoAmI, writeThenDivide, failAtCommit]
