import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer, Caller, TestApi } from '../support/api.ts'
import { startDocumentedApi } from '../support/documented-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startDocumentedApi()
})
afterAll(() => api.close())

type Fields = { title: string; description: string | null; status: string }
type Task = Fields & { id: string; owner_id: string; created_at: string; updated_at: string }

const runs = { numRuns: 60, commands: 15 }

/** Each owner's tasks by id, as they were last answered. A few ids are shared by all, so that owners meet on them. */
type World = {
  readonly owners: readonly Caller[]
  readonly ids: readonly string[]
  readonly own: readonly Map<string, Task>[]
}

type Step =
  | { do: 'create'; who: number; body: Partial<Fields> & { title: string } }
  | { do: 'put'; who: number; which: number; body: Partial<Fields> & { title: string } }
  | { do: 'patch'; who: number; which: number; body: Partial<Fields> }
  | { do: 'get' | 'delete'; who: number; which: number }
  | { do: 'list'; who: number; skip: number; limit: number }

const who = fc.nat({ max: 2 })
const which = fc.nat({ max: 5 })
const title = fc.constantFrom('a', 'b', '😀', ' e\u0301 ')
const description = fc.constantFrom(null, '', 'd')
const status = fc.constantFrom('Todo', 'InProgress', 'Done')
const whole = fc.record({ title, description, status }, { requiredKeys: ['title'] })
const part = fc.record({ title, description, status }, { requiredKeys: [] })

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('create' as const), who, body: whole }),
  fc.record({ do: fc.constant('put' as const), who, which, body: whole }),
  fc.record({ do: fc.constant('patch' as const), who, which, body: part }),
  fc.record({ do: fc.constantFrom('get' as const, 'delete' as const), who, which }),
  fc.record({
    do: fc.constant('list' as const),
    who,
    skip: fc.nat({ max: 3 }),
    limit: fc.integer({ min: 1, max: 5 }),
  }),
)

test('three owners who share ids see exactly what a model of each alone says, whatever they do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: runs.commands }), async (steps) => {
      const world = {
        owners: [await api.newOwner(), await api.newOwner(), await api.newOwner()],
        ids: [randomUUID(), randomUUID(), randomUUID()],
        own: [new Map<string, Task>(), new Map<string, Task>(), new Map<string, Task>()],
      }
      for (const each of steps) await take(each, world)
      for (const owner of [0, 1, 2]) await take({ do: 'list', who: owner, skip: 0, limit: 500 }, world)
    }),
    { numRuns: runs.numRuns },
  )
  expect(api.logged()).not.toContain('"status":500')
})

/** Does one step over HTTP and on the model, and compares. */
async function take(step: Step, { owners, ids, own }: World): Promise<void> {
  const caller = owners[step.who]
  const tasks = own[step.who]
  if (caller === undefined || tasks === undefined) throw new Error('no such owner')
  if (step.do === 'list') {
    const newestFirst = [...tasks.values()].toSorted((a, b) =>
      a.created_at + a.id < b.created_at + b.id ? 1 : -1,
    )
    const answer = await caller.call(`/tasks?skip=${step.skip}&limit=${step.limit}`)
    return expect(answer.json()).toEqual(newestFirst.slice(step.skip, step.skip + step.limit))
  }
  if (step.do === 'create') {
    const answer = await caller.call('/tasks', { body: step.body })
    expect(answer.status).toBe(201)
    return remember(tasks, answer, { ...defaults, ...step.body, owner_id: caller.id })
  }
  // Half of the ids are the shared ones, half what this or another owner made.
  const id =
    ids[step.which] ?? own.flatMap((each) => [...each.keys()])[step.which - ids.length] ?? randomUUID()
  const known = tasks.get(id)
  const method = step.do.toUpperCase()
  const answer = await caller.call(`/tasks/${id}`, { method, ...('body' in step && { body: step.body }) })
  if (step.do === 'put') {
    expect(answer.status).toBe(known ? 200 : 201)
    return remember(tasks, answer, { ...defaults, ...known, ...step.body, id, owner_id: caller.id }, known)
  }
  if (known === undefined) return expect(answer.status).toBe(404)
  if (step.do === 'get') return expect(answer.json()).toEqual(known)
  if (step.do === 'patch') return remember(tasks, answer, { ...known, ...step.body }, known)
  expect([answer.status, answer.text]).toEqual([204, ''])
  tasks.delete(id)
}

const defaults: Omit<Fields, 'title'> = { description: null, status: 'Todo' }

/** Only the clock and a new id are the server's to choose; everything else the model knows. */
function remember(tasks: Map<string, Task>, answer: Answer, expected: Partial<Task>, known?: Task): void {
  const task = answer.json<Task>()
  expect(task).toMatchObject({ ...expected, updated_at: task.updated_at })
  expect(task.created_at).toBe(known?.created_at ?? task.updated_at)
  const { updated_at: before, ...was } = known ?? { updated_at: task.updated_at }
  const { updated_at: after, ...is } = task
  if (JSON.stringify(was) === JSON.stringify(is)) expect(after).toBe(before)
  else expect(after >= before).toBe(true)
  tasks.set(task.id, task)
}
