import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { checkApi } from '../../bench/check-api.ts'
import type { HttpApi } from '../../bench/http-api.ts'
import { data, httpRequestsAt } from '../../bench/workload.ts'

type Task = Record<'id' | 'title' | 'status' | 'owner_id' | 'created_at' | 'updated_at', string> & {
  description: string | null
}
type Fault = (request: { method: string; owner: string | undefined; tasks: Task[] }) => unknown

const Fields = z.object({ title: z.string(), description: z.string(), status: z.string() }).partial()
const ownerName = (owner: number) => `owner-${owner}`
const idOf = (number: number) => `task-${String(number).padStart(6, '0')}`

/** An API that does what is measured, from memory, but for what `fault` answers instead. */
async function startTasks(fault: Fault = () => undefined): Promise<{ api: HttpApi; origin: string }> {
  const tasks: Task[] = Array.from({ length: 3 * data.tasksEach }, (_, number) => {
    const [owner, k] = [Math.floor(number / data.tasksEach), number % data.tasksEach]
    const at = { created_at: String(k), updated_at: String(k) }
    const text = { title: `Task ${k} of owner ${owner}`, description: null, status: 'Todo' }
    return { id: idOf(number), owner_id: ownerName(owner), ...text, ...at }
  })
  const server = createServer(async (request, response) => {
    const method = request.method ?? ''
    const owner = /^Bearer token-of-(owner-\d)-signed$/.exec(request.headers.authorization ?? '')?.[1]
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    const own = tasks.filter(({ owner_id }) => owner_id === owner)
    const id = pathname.split('/')[2]
    const body = method === 'GET' ? {} : Fields.parse(await json(request))
    const task = own.find((each) => each.id === id)
    const answer = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value))

    const instead = fault({ method, owner, tasks: id === undefined ? own : tasks.filter((t) => t.id === id) })
    if (instead !== undefined) return answer(200, instead)
    if (owner === undefined) return answer(401, {})
    if (method === 'POST') {
      const made = { ...tasks[0], ...body, id: 'made', owner_id: owner } as Task
      tasks.push(made)
      return answer(201, made)
    }
    if (id === undefined) return answer(200, own.toReversed().slice(0, Number(searchParams.get('limit'))))
    if (task === undefined) return answer(404, {})
    return answer(200, Object.assign(task, body))
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const api: HttpApi = {
    ...{ name: 'peer', note: '', readyPath: '/', ownerName, idPrefix: 'task-', withoutToken: 401 },
    command: { program: '', parameters: [], cwd: '', env: {} },
    requests: httpRequestsAt('/tasks'),
    tokenOf: async (owner) => `token-of-${ownerName(owner)}-signed`,
  }
  return { api, origin: `http://127.0.0.1:${address.port}` }
}

test('an API that does what is measured passes', async () => {
  const { api, origin } = await startTasks()
  await expect(checkApi(api, origin, [1, 2])).resolves.toBeUndefined()
})

test.each<[offence: string, says: RegExp, fault: Fault]>([
  [
    "hands out a stranger's task",
    /GET of a stranger's task/,
    ({ method, owner, tasks: [task] }) => (method === 'GET' && task?.owner_id !== owner ? task : undefined),
  ],
  [
    "changes a stranger's task",
    /PATCH of a stranger's task/,
    ({ method, owner, tasks: [task] }) => (method === 'PATCH' && task?.owner_id !== owner ? task : undefined),
  ],
  ['asks for no token', /without a good token/, ({ owner, tasks: [task] }) => (owner ? undefined : task)],
  [
    'lists oldest first',
    /newest first/,
    ({ method, tasks }) => (method === 'GET' && tasks[1] ? tasks : undefined),
  ],
  [
    'forgets a field',
    /missing fields/,
    ({ method, tasks: [task, ...more] }) => {
      if (method !== 'GET' || task === undefined || more.length > 0) return undefined
      const { description: _, ...rest } = task
      return rest
    },
  ],
  [
    'answers a patch and keeps nothing',
    /a patch is kept/,
    ({ method, owner, tasks: [task] }) =>
      method === 'PATCH' && task?.owner_id === owner
        ? { ...task, title: 'Buy milk, but not now, 0000001' }
        : undefined,
  ],
])('an API that %s is not measured', async (_offence, says, fault) => {
  const { api, origin } = await startTasks(fault)
  await expect(checkApi(api, origin, [1, 2])).rejects.toThrow(says)
})
