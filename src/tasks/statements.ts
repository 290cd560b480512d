import { readsOf } from '../database/statements/reads.ts'
import { writesOf } from '../database/statements/writes.ts'
import { defaults, fields } from './schemas.ts'
import { tasks } from './table.ts'

export const taskReads = readsOf('task', tasks)
export const { get: getTask, list: listTasks } = taskReads

export const taskWrites = writesOf('task', tasks, Object.keys(fields), defaults)
export const { create: createTask, put: putTask, patch: patchTask, remove: deleteTask } = taskWrites

export const taskStatements = [...Object.values(taskReads), ...Object.values(taskWrites)]
