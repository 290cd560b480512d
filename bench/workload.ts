import pg from 'pg'
import { createTask, getTask, listTasks } from '../src/tasks/statements.ts'
import type { Operation } from './contender.ts'

/**
 * The data that every contender works on: `owners` × `tasksEach` tasks. Owners and ids are made of numbers,
 * because `pgbench` has no other variables that change from one transaction to the next.
 */
export const data = { owners: 1_000, tasksEach: 100, callers: 200, listLimit: 20 } as const

/** Owner 7 is `1000000000000000007`; such subjects exist, and this one is as long as others are. */
export const firstOwner = 10n ** 18n

/** Task k of owner n has the number `firstTask + n × tasksEach + k` behind this prefix, together 32 digits. */
export const idPrefix = '0190000000000'
export const firstTask = 10n ** 18n

export const newTask = {
  title: 'Buy milk on the way home',
  description: 'Two litres, the one with the blue cap, and bread if there is any left.',
  status: 'Todo',
}

export function ownerName(owner: number): string {
  return String(firstOwner + BigInt(owner))
}

export function taskId(owner: number, task: number): string {
  const digits = idPrefix + String(firstTask + BigInt(owner * data.tasksEach + task))
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** What the callers send over HTTP. `{id}` stands for any id of the caller's own tasks. */
export type HttpRequest = { readonly method: string; readonly path: string; readonly body?: string }

export const httpRequests: Readonly<Record<Operation, HttpRequest>> = {
  list: { method: 'GET', path: `/api/v1/tasks?limit=${data.listLimit}` },
  get: { method: 'GET', path: '/api/v1/tasks/{id}' },
  create: { method: 'POST', path: '/api/v1/tasks', body: JSON.stringify(newTask) },
}

/** The statement behind each operation and its values in order, for any owner and id. */
export function statementOf(
  operation: Operation,
  owner: string,
  id: string,
): { text: string; values: readonly (string | number | boolean | null)[] } {
  if (operation === 'list')
    return { text: listTasks.text, values: listTasks.values(owner, { limit: data.listLimit, skip: 0 }) }
  if (operation === 'get') return { text: getTask.text, values: getTask.values(owner, { id }) }
  return { text: createTask.text, values: createTask.values(owner, { id, ...newTask }) }
}

/** Owners' rows are spread over the table, as they are when everybody adds a task now and then. */
const fillSql = `
  insert into docket.tasks (owner_id, id, title, description, status, created_at, updated_at)
  select (${firstOwner} + owner)::text,
         ('${idPrefix}' || ${firstTask} + owner * ${data.tasksEach} + task)::uuid,
         'Task ' || task || ' of owner ' || owner,
         case when task % 3 > 0 then '${newTask.description}' end,
         (array['Todo', 'InProgress', 'Done'])[1 + task % 3],
         made, made
  from generate_series(0, ${data.tasksEach - 1}) task, generate_series(0, ${data.owners - 1}) owner,
       lateral (select now() - interval '1 hour' * (${data.tasksEach} - task) + interval '1 second' * owner as made)
  order by task, owner`

/** Fills an empty, migrated database, and leaves it as it would be after a quiet night. */
export async function fill(url: string): Promise<void> {
  await withClient(url, async (client) => {
    for (const sql of [fillSql, 'vacuum analyze docket.tasks', 'checkpoint']) await client.query(sql)
  })
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
