import type { Statement, Value } from '../../src/database/statements/statement.ts'
import { createTask, getTask, listTasks } from '../../src/tasks/statements.ts'
import type { Caller } from './data.ts'

/** One operation of the API: as callers send it, and the statement that it becomes. */
export type Operation = {
  readonly name: string
  readonly of: 'small' | 'large'
  readonly method: string
  readonly path: (caller: Caller) => string
  readonly body?: string
  readonly status: number
  readonly statement: (caller: Caller) => { text: string; values: readonly Value[] }
}

const pageLimit = 20
const newTask = {
  title: 'Buy milk on the way home',
  description: 'Two litres, the one with the blue cap, and bread if there is any left.',
  status: 'Todo',
}

/** Those that read come first: what is created changes what is read. */
export const operations: readonly Operation[] = [
  page({ name: 'list 20', of: 'small', limit: pageLimit, skip: 0 }),
  {
    name: 'get',
    of: 'small',
    method: 'GET',
    path: (caller) => `/api/v1/tasks/${anyId(caller)}`,
    status: 200,
    statement: (caller) => filled(getTask, caller.owner, { id: anyId(caller) }),
  },
  page({ name: 'list 20, owner of 10,000', of: 'large', limit: pageLimit, skip: 0 }),
  page({ name: 'list 20 behind 9,900, owner of 10,000', of: 'large', limit: pageLimit, skip: 9_900 }),
  {
    name: 'create',
    of: 'small',
    method: 'POST',
    path: () => '/api/v1/tasks',
    body: JSON.stringify(newTask),
    status: 201,
    statement: (caller) => filled(createTask, caller.owner, { id: crypto.randomUUID(), given: newTask }),
  },
  {
    name: 'create, owner of 10,000',
    of: 'large',
    method: 'POST',
    path: () => '/api/v1/tasks',
    body: JSON.stringify(newTask),
    status: 201,
    statement: (caller) => filled(createTask, caller.owner, { id: crypto.randomUUID(), given: newTask }),
  },
]

function page({
  name,
  of,
  ...input
}: Pick<Operation, 'name' | 'of'> & { limit: number; skip: number }): Operation {
  return {
    name,
    of,
    method: 'GET',
    path: () => `/api/v1/tasks?limit=${input.limit}&skip=${input.skip}`,
    status: 200,
    statement: (caller) => filled(listTasks, caller.owner, input),
  }
}

function filled<Input>({ text, values }: Statement<Input, unknown>, owner: string, input: Input) {
  return { text, values: values(owner, input) }
}

function anyId(caller: Caller): string {
  return caller.ids(Math.floor(Math.random() * caller.tasks))
}
