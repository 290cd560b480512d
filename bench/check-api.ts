import assert from 'node:assert/strict'
import { z } from 'zod'
import type { HttpApi } from './http-api.ts'
import { data, type HttpRequest, newTask } from './workload.ts'

const fields = ['id', 'title', 'description', 'status', 'owner_id', 'created_at', 'updated_at']
const Task = z.looseObject({ id: z.string(), title: z.string(), owner_id: z.string(), status: z.string() })
/** Some wrap the list. */
const Tasks = z.union([z.array(Task), z.object({ items: z.array(Task) }).transform(({ items }) => items)])

/**
 * Every operation once, as it will be measured: what is answered, what is changed, and that a stranger's task and a
 * request without a token get nothing. Nobody is fast by doing less.
 *
 * @throws Error that names the operation.
 */
export async function checkApi(
  api: HttpApi,
  origin: string,
  [owner, stranger]: readonly [owner: number, stranger: number],
): Promise<void> {
  const { requests } = api
  const token = await api.tokenOf(owner, origin)
  const send = async ({ method, path, body }: HttpRequest, id = '', bearer: string | null = token) => {
    const answer = await fetch(origin + path.replace('{id}', id), {
      method,
      headers: {
        ...(bearer !== null && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && {
        body: body.replaceAll('{owner}', api.ownerName(owner)).replace('{count}', '0000001'),
      }),
    })
    return { status: answer.status, text: await answer.text() }
  }
  const idOf = (ofOwner: number, task: number) =>
    api.idPrefix + String(ofOwner * data.tasksEach + task).padStart(6, '0')
  const taskOf = (text: string) => Task.parse(JSON.parse(text))

  try {
    for (const [operation, length] of [
      ['list20', 20],
      ['list100', 100],
    ] as const) {
      const { status, text } = await send(requests[operation])
      assert.equal(status, 200, text)
      const tasks = Tasks.parse(JSON.parse(text))
      const newest = Array.from({ length }, (_, k) => idOf(owner, data.tasksEach - 1 - k))
      assert.deepEqual(
        tasks.map(({ id }) => id),
        newest,
        `${operation}: own tasks, newest first`,
      )
      assert.ok(tasks.every(({ owner_id }) => owner_id === api.ownerName(owner)))
    }

    const own = idOf(owner, 7)
    const got = await send(requests.get, own)
    assert.equal(got.status, 200, got.text)
    const task = taskOf(got.text)
    assert.equal(task.title, `Task 7 of owner ${owner}`)
    assert.deepEqual(
      fields.filter((field) => !(field in task)),
      [],
      'missing fields',
    )

    const patched = await send(requests.patch, own)
    assert.equal(patched.status, 200, patched.text)
    const { title } = taskOf(patched.text)
    assert.match(title, /0000001$/)
    assert.equal(taskOf((await send(requests.get, own)).text).title, title, 'a patch is kept')

    const created = await send(requests.create)
    assert.ok([200, 201].includes(created.status), created.text)
    const { id } = taskOf(created.text)
    const { title: kept, description, status } = taskOf((await send(requests.get, id)).text)
    assert.deepEqual({ title: kept, description, status }, newTask)

    for (const request of [requests.get, requests.patch]) {
      const { status, text } = await send(request, idOf(stranger, 7))
      assert.equal(status, 404, `${request.method} of a stranger's task: ${text}`)
    }
    if (api.withoutToken !== undefined)
      for (const bearer of [null, `${token.slice(0, -6)}AAAAAA`]) {
        const answer = await send(requests.get, own, bearer)
        const expected = bearer === null ? [api.withoutToken] : [api.withoutToken, 401]
        assert.ok(expected.includes(answer.status), `without a good token: ${answer.status} ${answer.text}`)
      }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${api.name} does not do what is to be measured: ${reason}`, { cause: error })
  }
}
