import { operationsOf, type Resource } from '../api/resource.ts'
import { defaults, fields, Task, TaskId } from './schemas.ts'
import { taskReads, taskWrites } from './statements.ts'
import { tasks } from './table.ts'

const task = {
  noun: 'task',
  path: '/tasks',
  tag: { name: 'Tasks', description: "The caller's own tasks." },
  table: tasks,
  schema: Task,
  id: TaskId,
  fields,
  defaults,
} satisfies Resource

/** The operations on the caller's own tasks. */
export const taskOperations = operationsOf(task, taskReads, taskWrites)
