import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { engine } from '../support/api.ts'
import { type BetterAuthApp, startBetterAuthApp } from '../support/better-auth-app.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import {
  cleanUp,
  createTask,
  type Docket,
  leaks,
  listTasks,
  newFolder,
  secret,
  startDocket,
} from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** Two processes that know of each other what a deployment tells them: the origin, in BETTER_AUTH_URL. */
let app: BetterAuthApp
let server: Docket
let database: FreshDatabase | undefined
beforeAll(async () => {
  app = await startBetterAuthApp()
  database = engine === 'postgres' ? await freshDatabase() : undefined
  server = await startDocket({
    BETTER_AUTH_URL: app.url,
    DATA_DIR: await newFolder(),
    ...(database && { DATABASE_URL: database.url }),
  })
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
  await app.stop()
  await database?.drop()
})

test('a token of a separately started Better Auth makes and lists tasks of its user, and of nobody else', async () => {
  const ann = await app.signUp('Ann')
  const bob = await app.signUp('Bob')
  for (const { token } of [ann, bob]) secret(token)
  const task = await createTask(server.url, ann.token, 'Buy milk')
  expect(task.owner_id).toBe(ann.userId)
  expect(await listTasks(server.url, ann.token)).toEqual([expect.objectContaining({ id: task.id })])
  expect(await listTasks(server.url, bob.token)).toEqual([])
})

test('the same token with another subject, or another signature, is refused', async () => {
  const ann = await app.signUp('Ann')
  const bob = await app.signUp('Bob')
  const [header, , signature] = ann.token.split('.')
  const [, payload] = bob.token.split('.')
  for (const token of [
    `${header}.${payload}.${signature}`,
    `${header}.${ann.token.split('.')[1]}.${bob.token.split('.')[2]}`,
  ]) {
    const response = await fetch(`${server.url}/api/v1/tasks`, {
      headers: { authorization: `Bearer ${secret(token)}` },
    })
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ code: 'invalid_token' })
  }
})

test('no Better Auth of its own runs beside it, and the banner shows a request with one’s own token', async () => {
  expect((await fetch(`${server.url}/api/auth/ok`)).status).toBe(404)
  await server.says(/Get a token from your Better Auth/)
  expect(server.stderr()).toContain(`GET ${app.url}/api/auth/token`)
  expect(server.stderr()).toContain(`tokens    ${app.url}/api/auth/jwks`)
  expect(server.stderr()).toMatch(/^TOKEN='paste it here'\ncurl .+Authorization: Bearer \$TOKEN/m)
})
