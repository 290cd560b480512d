import pg from 'pg'
import { createTask, getTask, listTasks, patchTask } from '../src/tasks/statements.ts'
import type { Operation } from './contender.ts'

/**
 * The data that every contender works on: `owners` × `tasksEach` tasks. Owners and ids are made of numbers,
 * because `pgbench` has no other variables that change from one transaction to the next.
 */
export const data = { owners: 1_000, tasksEach: 100, callers: 200 } as const

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

/** All of an id of these tasks but its last six digits, which are the task's number. */
export const idPrefixOfTasks = '01900000-0000-0100-0000-000000'

export function ownerName(owner: number): string {
  return String(firstOwner + BigInt(owner))
}

export function taskId(owner: number, task: number): string {
  const digits = idPrefix + String(firstTask + BigInt(owner * data.tasksEach + task))
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/**
 * What the callers send over HTTP. In the path `{id}` stands for any id of the caller's own tasks, in the body `{owner}`
 * for the caller and `{count}` for digits that differ from one request to the next.
 */
export type HttpRequest = { readonly method: string; readonly path: string; readonly body?: string }
export type HttpRequests = Readonly<Record<Operation, HttpRequest>>

/** The requests of an API that serves tasks under `path`. */
export function httpRequestsAt(path: string): HttpRequests {
  return {
    list20: { method: 'GET', path: `${path}?limit=20` },
    list100: { method: 'GET', path: `${path}?limit=100` },
    get: { method: 'GET', path: `${path}/{id}` },
    patch: {
      method: 'PATCH',
      path: `${path}/{id}`,
      body: JSON.stringify({ title: `${changedTitle}{count}` }),
    },
    create: { method: 'POST', path, body: JSON.stringify(newTask) },
  }
}

/** What a patch writes, before digits that make it another title each time. */
export const changedTitle = 'Buy milk, but not now, '

type Values = readonly (string | number | boolean | null)[]

/** The statement behind each operation and its values in order, for any owner, id and new title. */
export function statementOf(
  operation: Operation,
  { owner, id, title }: { owner: string; id: string; title: string },
): { text: string; values: Values } {
  switch (operation) {
    case 'list20':
      return { text: listTasks.text, values: listTasks.values(owner, { limit: 20, skip: 0 }) }
    case 'list100':
      return { text: listTasks.text, values: listTasks.values(owner, { limit: 100, skip: 0 }) }
    case 'get':
      return { text: getTask.text, values: getTask.values(owner, { id }) }
    case 'patch': {
      return { text: patchTask.text, values: patchTask.values(owner, { id, given: { title } }) }
    }
    case 'create':
      return { text: createTask.text, values: createTask.values(owner, { id, given: newTask }) }
  }
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
