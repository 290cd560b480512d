import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { AppError } from '../errors.ts'
import type { Context, Env } from '../http/context.ts'
import { addOperation, noSuchTask } from '../http/operation.ts'
import { respond, respondJson } from '../http/respond.ts'
import { newId } from './new-id.ts'
import { NewTask, Task, TaskId, TaskPage, TaskPatch } from './schemas.ts'
import { createTask, deleteTask, getTask, listTasks, patchTask, putTask } from './statements.ts'

const tag = 'Tasks'
const collection = '/api/v1/tasks'
const one = `${collection}/{id}`
const params = z.object({ id: TaskId.openapi({ param: { name: 'id', in: 'path' } }) })

const task = (description: string) => ({ description, content: { 'application/json': { schema: Task } } })
const created = {
  ...task('The new task'),
  headers: z.object({ Location: z.string().openapi({ description: 'Where the task is.' }) }),
}

/** The six operations on the caller's own tasks. */
export function addTasks(app: OpenAPIHono<Env>): void {
  addOperation(app, {
    method: 'get',
    path: collection,
    id: 'listTasks',
    tag,
    summary: 'List own tasks, newest first',
    query: TaskPage,
    success: {
      200: { description: 'Own tasks', content: { 'application/json': { schema: z.array(Task) } } },
    },
    failures: ['validation_failed'],
    handle: async (c, { query }) => respondJson(c, 200, await c.get('asOwner')(listTasks, query)),
  })

  addOperation(app, {
    method: 'post',
    path: collection,
    id: 'createTask',
    tag,
    summary: 'Create a task',
    body: NewTask,
    success: { 201: created },
    failures: ['quota_exceeded', 'validation_failed'],
    handle: async (c, { body }) => {
      const id = newId()
      const json = await c.get('asOwner')(createTask, { id, ...fieldsOf(c, body) })
      return respondJson(c, 201, json, at(id))
    },
  })

  addOperation(app, {
    method: 'get',
    path: one,
    id: 'getTask',
    tag,
    summary: 'Read a task',
    params,
    success: { 200: task('The task') },
    failures: ['not_found'],
    handle: async (c, { params }) => respondJson(c, 200, found(await c.get('asOwner')(getTask, params))),
  })

  addOperation(app, {
    method: 'put',
    path: one,
    id: 'putTask',
    tag,
    summary: 'Replace a task, or create it under this id',
    description: 'Fields that are left out return to their default. Repeating it changes nothing more.',
    params,
    body: NewTask,
    success: { 200: task('The task as it is now'), 201: created },
    failures: ['quota_exceeded', 'validation_failed'],
    handle: async (c, { params: { id }, body }) => {
      const { json, created } = await c.get('asOwner')(putTask, { id, ...fieldsOf(c, body) })
      return created ? respondJson(c, 201, json, at(id)) : respondJson(c, 200, json)
    },
  })

  addOperation(app, {
    method: 'patch',
    path: one,
    id: 'patchTask',
    tag,
    summary: 'Change some fields of a task',
    description: 'JSON merge patch (RFC 7396): what is not sent stays; null clears the description.',
    params,
    body: TaskPatch,
    bodyTypes: ['application/merge-patch+json'],
    success: { 200: task('The task as it is now') },
    failures: ['not_found', 'quota_exceeded', 'validation_failed'],
    handle: async (c, { params: { id }, body }) => {
      const json = await c.get('asOwner')(patchTask, {
        id,
        title: body.title ?? null,
        status: body.status ?? null,
        set_description: body.description !== undefined,
        description: body.description ?? null,
      })
      return respondJson(c, 200, found(json))
    },
  })

  addOperation(app, {
    method: 'delete',
    path: one,
    id: 'deleteTask',
    tag,
    summary: 'Delete a task',
    params,
    success: { 204: { description: 'It is gone' } },
    failures: ['not_found'],
    handle: async (c, { params }) => {
      if (!(await c.get('asOwner')(deleteTask, params))) throw new AppError('not_found', noSuchTask)
      return respond(c, 204, null)
    },
  })
}

const at = (id: string) => ({ location: `${collection}/${id}` })

function found(json: string | null): string {
  if (json === null) throw new AppError('not_found', noSuchTask)
  return json
}

/** Clients in the wild send `owner_id`; it may say who they are, never who somebody else is. */
function fieldsOf(c: Context, { owner_id, ...fields }: NewTask) {
  if (owner_id !== undefined && owner_id !== c.get('principal').id)
    throw new AppError('forbidden', 'owner_id names somebody else; leave it out.')
  return fields
}
