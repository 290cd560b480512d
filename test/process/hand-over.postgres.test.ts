import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { cleanUp, leaks, newFolder, startDocket, tokenOf } from '../support/process.ts'
import { admin, freePort } from '../support/real-postgres.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
  await database.drop()
})

const clients = 6

/** Creates tasks over kept connections, one after the other, until told to stop; what fails is not sent again. */
function keepCreating(port: number, token: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const acknowledged: string[] = []
  const failures: string[] = []
  let going = true
  const create = (id: string) =>
    new Promise<string>((resolve) => {
      const path = `/api/v1/tasks/${id}`
      const sent = request({ host: '127.0.0.1', port, agent, method: 'PUT', path, headers }, (answer) => {
        text(answer).then(
          () => resolve(String(answer.statusCode)),
          (error) => resolve(error.code),
        )
      })
      sent.on('error', (error) => resolve(error.message))
      sent.end(JSON.stringify({ title: 'x' }))
    })
  const done = Array.from({ length: clients }, async () => {
    while (going) {
      const id = randomUUID()
      const outcome = await create(id)
      if (outcome === '201') acknowledged.push(id)
      else failures.push(outcome)
    }
  })
  return {
    acknowledged,
    stop: async () => {
      going = false
      await Promise.all(done)
      agent.destroy()
      return failures
    },
  }
}

test('a new process takes over the port: no request fails, and every task that was acknowledged is there', async () => {
  const port = await freePort()
  const environment = {
    DATABASE_URL: database.url,
    DATA_DIR: await newFolder(),
    PORT: String(port),
    REUSE_PORT: 'true',
    TASK_QUOTA: '1000000',
    RATE_LIMIT: '0',
  }
  let serving = await startDocket(environment)
  const load = keepCreating(port, await tokenOf(serving.url, 'ann'))
  for (let handOver = 0; handOver < 2; handOver++) {
    const next = await startDocket(environment)
    const before = load.acknowledged.length
    serving.kill('SIGTERM')
    expect(await serving.ended).toEqual({ code: 0, signal: null })
    expect(serving.lines().map(({ event }) => event)).toContain('stopped')
    expect(load.acknowledged.length).toBeGreaterThan(before)
    serving = next
  }
  expect(await load.stop()).toEqual([])
  const rows = await admin(database.url, 'select id from docket.tasks')
  expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(load.acknowledged))
  serving.kill('SIGTERM')
  expect(await serving.ended).toEqual({ code: 0, signal: null })
})
