/**
 * What an app does that has a server of its own: no port, no signal handler, no `process.exit`. `embedding.http`
 * runs it; it prints what it got on standard error, beside the log on standard output.
 */
import { z } from 'zod'
import { createTodoApi } from '../../src/todo-api.ts'

const { DATA_DIR, DATABASE_URL, LOG_LEVEL } = process.env
const api = createTodoApi({
  environment: { DATA_DIR, DATABASE_URL, LOG_LEVEL },
  origin: 'http://app.localhost',
})

async function call(path: string, { body, token }: { body?: object; token?: string } = {}) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers }
  const response = await api.fetch(new Request(`http://app.localhost${path}`, init))
  return { status: response.status, body: await response.json() }
}

const tokenIn = (answer: { body: unknown }) => z.object({ token: z.string() }).parse(answer.body).token

const account = { name: 'Ann', email: `${process.pid}@example.com`, password: 'correct horse battery' }
const session = tokenIn(await call('/api/auth/sign-up/email', { body: account }))
const token = tokenIn(await call('/api/auth/token', { token: session }))
const created = await call('/api/v1/tasks', { token, body: { title: 'embedded' } })
const listed = z.array(z.unknown()).parse((await call('/api/v1/tasks', { token })).body)
const ready = await call('/readyz')
const signals = process.eventNames().filter((name) => String(name).startsWith('SIG'))
await api.close()
const seen = { created: created.status, listed: listed.length, ready: ready.status, signals }
process.stderr.write(JSON.stringify(seen))
