import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { engine } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { cleanUp, type Environment, leaks, newFolder, root, run } from '../support/process.ts'

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

async function runProgram(environment: Environment) {
  const running = run(process.execPath, [join(root, 'test/process/embedding-program.ts')], {
    folder: await newFolder(),
    environment: { DATA_DIR: dataDir, ...(database && { DATABASE_URL: database.url }), ...environment },
  })
  expect(await running.ended).toEqual({ code: 0, signal: null })
  expect(running.stderr()).toBe('{"created":201,"listed":1,"ready":200,"signals":[]}')
  return running
}

test('createTodoApi serves without a server, and after close() the process ends by itself, twice', async () => {
  for (let time = 1; time <= 2; time++) {
    const running = await runProgram({ LOG_LEVEL: 'info' })
    // The last lines are not lost either.
    expect(running.lines().at(-1)).toMatchObject({ event: 'request', route: '/readyz' })
  }
})

test('in a run without faults it prints nothing', async () => {
  expect((await runProgram({})).stdout()).toBe('')
})
