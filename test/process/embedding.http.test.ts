import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { engine } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { cleanUp, leaks, newFolder, root, run } from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let database: FreshDatabase | undefined
let dataDir: string
beforeAll(async () => {
  database = engine === 'postgres' ? await freshDatabase() : undefined
  dataDir = await newFolder()
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
  await database?.drop()
})

/** What an app does that has a server of its own: no port, no signal handler, no `process.exit`. */
const program = `
  const { createTodoApi } = await import(process.env.INDEX)
  const { DATA_DIR, DATABASE_URL } = process.env
  const api = await createTodoApi({ environment: { DATA_DIR, DATABASE_URL }, origin: 'http://app.localhost' })
  const call = async (path, { body, token } = {}) => {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: 'Bearer ' + token }) }
    const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers }
    const response = await api.fetch(new Request('http://app.localhost' + path, init))
    return { status: response.status, body: await response.json() }
  }
  const account = { name: 'Ann', email: process.pid + '@example.com', password: 'correct horse battery' }
  const session = await call('/api/auth/sign-up/email', { body: account })
  const { body: { token } } = await call('/api/auth/token', { token: session.body.token })
  const created = await call('/api/v1/tasks', { token, body: { title: 'embedded' } })
  const listed = await call('/api/v1/tasks', { token })
  const ready = await call('/readyz')
  await api.close()
  process.stderr.write(JSON.stringify({ created: created.status, listed: listed.body.length, ready: ready.status }))
`

test('createTodoApi serves without a server, and after close() the process ends by itself, twice', async () => {
  for (let time = 1; time <= 2; time++) {
    const running = run(process.execPath, ['--input-type=module', '--eval', program], {
      folder: await newFolder(),
      environment: {
        INDEX: pathToFileURL(join(root, 'src/index.ts')).href,
        DATA_DIR: dataDir,
        ...(database && { DATABASE_URL: database.url }),
      },
    })
    expect(await running.ended).toEqual({ code: 0, signal: null })
    expect(running.stderr()).toBe('{"created":201,"listed":1,"ready":200}')
    // The last lines are not lost either.
    expect(running.lines().at(-1)).toMatchObject({ event: 'request', route: '/readyz' })
  }
})
