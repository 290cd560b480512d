import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { jsonColumns, returnedJson } from '../database/columns.ts'
import { build, type Cells, defineStatement, owner, raw } from '../database/statement.ts'
import { tasks } from './table.ts'

/** The client's fields of a task as the statements take them. */
type Fields = { title: string; description: string | null; status: string }

const id = sql.placeholder('id')
const own = and(eq(tasks.owner_id, owner), eq(tasks.id, id))
const changed = (title: SQL, description: SQL, status: SQL) =>
  sql`case when (${tasks.title}, ${tasks.description}, ${tasks.status})
    is distinct from (${title}, ${description}, ${status}) then now() else ${tasks.updated_at} end`

/** The whole answer as JSON text, or null when there is no such task. */
const json = ([row]: readonly Cells[]): string | null => row?.[0] ?? null

/** The same where there always is a row. */
const written = ([row]: readonly Cells[]): string => row?.[0] ?? ''

const page = alias(tasks, 'page')
const answers = (from: SQL) =>
  sql`select row_to_json(answer)::text as json from (select ${jsonColumns(page)} from ${from}) answer`

/** Stored bytes of the texts of a task. Postgres reads them from the length words, so a long text stays on disk. */
const textBytes = sql`octet_length(${page.title}) + coalesce(octet_length(${page.description}), 0)`

/** A list ends with the task that brings it to so many bytes of JSON. */
const listBytes = sql.raw('1000000')

/** Below so many stored bytes 500 tasks are shorter than that, whatever JSON makes of them: up to six bytes of one. */
const shortBytes = sql.raw('130000')

/**
 * Own tasks, newest first, as one JSON array of about 1 MB at the most. `cutAfter` is the number of tasks in a list that
 * ended early.
 *
 * The second branch runs for long texts only. It leaves out by their stored length what cannot be in the list, before
 * it makes JSON of the rest.
 */
export const listTasks = defineStatement<
  { limit: number; skip: number },
  { json: string; cutAfter: number | undefined }
>({
  name: 'list_tasks',
  access: 'read',
  // So that whoever stands behind a full connection waits for about a millisecond, whatever the length of the lists.
  weight: ({ limit, skip }) => 1 + Math.ceil((limit + skip / 10) / 30),
  query: raw(sql`
    with page as materialized (
      select * from ${tasks} where ${eq(tasks.owner_id, owner)}
      order by ${desc(tasks.created_at)}, ${desc(tasks.id)}
      limit ${sql.placeholder('limit')} offset ${sql.placeholder('skip')}
    ), cut as materialized (
      select json from (
        select json, sum(octet_length(json)) over (rows unbounded preceding) - octet_length(json) as before
        from (${answers(sql`(
          select * from (
            select *, sum(${textBytes}) over (rows unbounded preceding) - (${textBytes}) as before from page
          ) page where before < ${listBytes}
        ) page`)}) as lines
      ) lines where before < ${listBytes}
    )
    select
      '[' || coalesce(case when long then (select string_agg(json, ',') from cut)
        else (select string_agg(json, ',') from (${answers(sql`page`)}) as lines) end, '') || ']',
      case when long then nullif((select count(*) from cut), (select count(*) from page)) end
    from (select sum(${textBytes}) > ${shortBytes} as long from page) as size`),
  rows: (rows) => ({ json: written(rows), cutAfter: rows[0]?.[1] == null ? undefined : Number(rows[0][1]) }),
})

export const getTask = defineStatement<{ id: string }, string | null>({
  name: 'get_task',
  access: 'read',
  weight: () => 1,
  query: raw(
    sql`select row_to_json(answer)::text from (select ${jsonColumns(tasks)} from ${tasks} where ${own}) answer`,
  ),
  rows: json,
})

const given = {
  title: sql.placeholder('title'),
  description: sql.placeholder('description'),
  status: sql.placeholder('status'),
}

export const createTask = defineStatement<{ id: string } & Fields, string>({
  name: 'create_task',
  access: 'write',
  query: build
    .insert(tasks)
    .values({ owner_id: owner, id, ...given })
    .returning({ json: returnedJson(tasks) }),
  rows: written,
})

/** Replaces one's own task under an id, or creates it; `updated_at` moves only when something changed. */
export const putTask = defineStatement<{ id: string } & Fields, { json: string; created: boolean }>({
  name: 'put_task',
  access: 'write',
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
  rows: (rows) => ({ json: written(rows), created: rows[0]?.[1] === 't' }),
})

type Patch = { id: string; title: string | null; status: string | null } & {
  set_description: boolean
  description: string | null
}

/** Changes the fields given; null leaves `title` and `status` alone, `set_description` tells "clear" from "leave". */
export const patchTask = defineStatement<Patch, string | null>({
  name: 'patch_task',
  access: 'write',
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
  rows: json,
})

export const deleteTask = defineStatement<{ id: string }, boolean>({
  name: 'delete_task',
  access: 'write',
  query: build.delete(tasks).where(own).returning({ id: tasks.id }),
  rows: (rows) => rows.length > 0,
})

export const taskStatements = [listTasks, getTask, createTask, putTask, patchTask, deleteTask]
