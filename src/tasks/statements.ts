import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { jsonColumns, returnedJson } from '../database/columns.ts'
import { build, defineStatement, owner, type Row, raw } from '../database/statement.ts'
import { tasks } from './table.ts'

/** The client's fields of a task as the statements take them. */
type Fields = { title: string; description: string | null; status: string }

const id = sql.placeholder('id')
const own = and(eq(tasks.owner_id, owner), eq(tasks.id, id))
const changed = (title: SQL, description: SQL, status: SQL) =>
  sql`case when (${tasks.title}, ${tasks.description}, ${tasks.status})
    is distinct from (${title}, ${description}, ${status}) then now() else ${tasks.updated_at} end`

/** The whole answer as JSON text, or null when there is no such task. */
const json = (row: Row): string | null => row?.[0] ?? null

/** The same where there always is a row. */
const written = (row: Row): string => row?.[0] ?? ''

const page = alias(tasks, 'page')

/** Own tasks, newest first, as one JSON array. What is skipped is not spelled out as JSON first. */
export const listTasks = defineStatement<{ limit: number; skip: number }, string>({
  name: 'list_tasks',
  kind: 'read',
  // So that whoever stands behind a full connection waits for about a millisecond, whatever the length of the lists.
  weight: ({ limit, skip }) => 1 + Math.ceil((limit + skip / 10) / 30),
  query: raw(sql`
    select '[' || coalesce(string_agg(row_to_json(answer)::text, ','), '') || ']'
    from (
      select ${jsonColumns(page)} from (
        select * from ${tasks} where ${eq(tasks.owner_id, owner)}
        order by ${desc(tasks.created_at)}, ${desc(tasks.id)}
        limit ${sql.placeholder('limit')} offset ${sql.placeholder('skip')}
      ) ${sql.identifier('page')}
    ) answer`),
  result: written,
})

export const getTask = defineStatement<{ id: string }, string | null>({
  name: 'get_task',
  kind: 'read',
  weight: () => 1,
  query: raw(
    sql`select row_to_json(answer)::text from (select ${jsonColumns(tasks)} from ${tasks} where ${own}) answer`,
  ),
  result: json,
})

const given = {
  title: sql.placeholder('title'),
  description: sql.placeholder('description'),
  status: sql.placeholder('status'),
}

export const createTask = defineStatement<{ id: string } & Fields, string>({
  name: 'create_task',
  kind: 'write',
  query: build
    .insert(tasks)
    .values({ owner_id: owner, id, ...given })
    .returning({ json: returnedJson(tasks) }),
  result: written,
})

/** Replaces one's own task under an id, or creates it; `updated_at` moves only when something changed. */
export const putTask = defineStatement<{ id: string } & Fields, { json: string; created: boolean }>({
  name: 'put_task',
  kind: 'write',
  query: build
    .insert(tasks)
    .values({ owner_id: owner, id, ...given })
    .onConflictDoUpdate({
      target: [tasks.owner_id, tasks.id],
      set: {
        title: sql`excluded.title`,
        description: sql`excluded.description`,
        status: sql`excluded.status`,
        updated_at: changed(sql`excluded.title`, sql`excluded.description`, sql`excluded.status`),
      },
    })
    // Only a row that this very statement inserted has no xmax.
    .returning({ json: returnedJson(tasks), created: sql<boolean>`xmax = 0` }),
  result: (row) => ({ json: written(row), created: row?.[1] === 't' }),
})

type Patch = { id: string; title: string | null; status: string | null } & {
  set_description: boolean
  description: string | null
}

/** Changes the fields given; null leaves `title` and `status` alone, `set_description` tells "clear" from "leave". */
export const patchTask = defineStatement<Patch, string | null>({
  name: 'patch_task',
  kind: 'write',
  query: (() => {
    const title = sql`coalesce(${given.title}::text, ${tasks.title})`
    const status = sql`coalesce(${given.status}::text, ${tasks.status})`
    const description = sql`case when ${sql.placeholder('set_description')}::boolean
      then ${given.description}::text else ${tasks.description} end`
    return build
      .update(tasks)
      .set({ title, description, status, updated_at: changed(title, description, status) })
      .where(own)
      .returning({ json: returnedJson(tasks) })
  })(),
  result: json,
})

export const deleteTask = defineStatement<{ id: string }, boolean>({
  name: 'delete_task',
  kind: 'write',
  query: build.delete(tasks).where(own).returning({ id: tasks.id }),
  result: (row) => row !== undefined,
})

export const taskStatements = [listTasks, getTask, createTask, putTask, patchTask, deleteTask]
