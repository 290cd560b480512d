import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { workerCount } from '../../src/cli/workers/workers.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import {
  cleanUp,
  createTask,
  docket,
  type Environment,
  leaks,
  listTasks,
  newFolder,
  type Running,
  tokenOf,
} from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let database: FreshDatabase
let dataDir: string
beforeAll(async () => {
  database = await freshDatabase()
  dataDir = await newFolder()
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
  await database.drop()
})

const start = async (count: string, environment: Environment = {}) =>
  docket(['start', '--workers', count], {
    environment: { PORT: '0', DATA_DIR: dataDir, DATABASE_URL: database.url, ...environment },
  })

/** The processes that it started, as Linux tells (proc(5)). */
async function childrenOf({ pid }: Running): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`)
  const lists = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8')))
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
}

/** One letter for the state of a process (proc(5)). */
const stateOf = async (pid: number) => (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.[0]

const eventsOf = (running: Running) => running.lines().map(({ event }) => event)

const ask = (url: string) =>
  fetch(`${url}/livez`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(20_000) })

describe('docket start --workers 2', () => {
  let group: Running
  let url: string
  let token: string
  beforeAll(async () => {
    group = await start('2')
    url = (await group.says(/"event":"start","origin":"([^"]+)"/))[1] ?? ''
    await group.says(/Docket is listening/)
    token = await tokenOf(url, 'ann')
  })

  test('is two processes behind one port, with one banner and one start in the log', async () => {
    expect(await childrenOf(group)).toHaveLength(2)
    await createTask(url, token, 'shared by way of Postgres alone')
    // Connections are dealt out in turn.
    for (let i = 0; i < 4; i++) {
      const headers = { authorization: `Bearer ${token}`, connection: 'close' }
      const answer = await fetch(`${url}/api/v1/tasks`, { headers })
      expect(await answer.json()).toHaveLength(1)
    }
    expect(eventsOf(group).filter((event) => event === 'start')).toHaveLength(1)
    expect(group.stderr().match(/Docket is listening/g)).toHaveLength(1)
  })

  test('when one is killed the other answers, and a new one comes', async () => {
    const [killed = 0, other = 0] = await childrenOf(group)
    process.kill(killed, 'SIGKILL')
    await group.says(/"event":"worker_lost","signal":"SIGKILL"/)
    expect((await ask(url)).status).toBe(200)
    await group.says(/"event":"worker_back"/)
    const now = await childrenOf(group)
    expect(now).toHaveLength(2)
    expect(now).toContain(other)
    expect(now).not.toContain(killed)
    expect(await listTasks(url, token)).toHaveLength(1)
  })

  test('Ctrl-C, which a terminal sends to all of them, ends them with 0, and the log has one stop', async () => {
    const workers = await childrenOf(group)
    for (const pid of workers) process.kill(pid, 'SIGINT')
    group.kill('SIGINT')
    expect(await group.ended).toEqual({ code: 0, signal: null })
    // What a worker still had to say of a request may come in between.
    expect(
      eventsOf(group)
        .filter((event) => !String(event).startsWith('request'))
        .slice(-2),
    ).toEqual(['stop', 'stopped'])
    for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })
})

test('SIGHUP replaces the workers, each by one that is ready, while the port stays open: no request fails', async () => {
  const group = await start('1')
  const [, url = ''] = await group.says(/"event":"start","origin":"([^"]+)"/)
  const [before] = await childrenOf(group)
  let asking = true
  const outcomes: string[] = []
  const clients = Array.from({ length: 4 }, async () => {
    while (asking)
      outcomes.push(
        await ask(url).then(
          ({ status }) => String(status),
          (error: Error) => String(error.cause),
        ),
      )
  })
  group.kill('SIGHUP')
  await group.says(/"event":"reload","workers":1/)
  asking = false
  await Promise.all(clients)
  expect(new Set(outcomes)).toEqual(new Set(['200']))
  const after = await childrenOf(group)
  expect(after).toHaveLength(1)
  expect(after).not.toContain(before)
  group.kill('SIGTERM')
  expect(await group.ended).toEqual({ code: 0, signal: null })
})

test('a worker that stops waits for what its primary may have handed to it already', async () => {
  const group = await start('2')
  const [, url = ''] = await group.says(/"event":"start","origin":"([^"]+)"/)
  const [leaving = 0] = await childrenOf(group)
  group.kill('SIGSTOP')
  const answers = Array.from({ length: 64 }, () => ask(url))
  process.kill(leaving, 'SIGTERM')
  // Where it does not wait it is gone by then, and takes with it what it is handed.
  const gone = vi.waitUntil(async () => (await stateOf(leaving)) === 'Z', { timeout: 500 })
  await expect(gone).rejects.toThrow('Timed out')
  group.kill('SIGCONT')
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(64).fill(200))
  await group.says(/"event":"worker_back"/)
  group.kill('SIGTERM')
  expect(await group.ended).toEqual({ code: 0, signal: null })
})

test('a worker that is killed while it waits for its primary takes nobody with it', async () => {
  const group = await start('2')
  const [, url = ''] = await group.says(/"event":"start","origin":"([^"]+)"/)
  const [leaving = 0] = await childrenOf(group)
  group.kill('SIGSTOP')
  process.kill(leaving, 'SIGTERM')
  // Long enough to have asked.
  await vi.waitUntil(async () => (await stateOf(leaving)) === 'Z', { timeout: 500 }).catch(() => undefined)
  process.kill(leaving, 'SIGKILL')
  await vi.waitUntil(async () => (await stateOf(leaving)) === 'Z')
  group.kill('SIGCONT')
  await group.says(/"event":"worker_lost","signal":"SIGKILL"/)
  await group.says(/"event":"worker_back"/)
  expect((await ask(url)).status).toBe(200)
  group.kill('SIGTERM')
  expect(await group.ended).toEqual({ code: 0, signal: null })
})

describe('what cannot start says so once, and ends', () => {
  const outcome = async (count: string, environment: Environment) => {
    const group = await start(count, environment)
    const { code } = await group.ended
    return { code, said: group.stdout() + group.stderr() }
  }
  test('a number that cannot be is wrong usage: 2, and the sentence has the range', async () => {
    const tooMany = String(availableParallelism() + 1)
    const { code, said } = await outcome(tooMany, {})
    expect(code).toBe(2)
    expect(said).toMatch(/^--workers takes 1.*, or auto\.\n$/)
    expect(workerCount('auto')).toBe(availableParallelism())
    expect(workerCount('1')).toBe(1)
    for (const wrong of ['0', '-1', 'two', '1.5', '', ' 1', tooMany])
      expect(() => workerCount(wrong)).toThrow(said.trim())
  })

  test('the embedded database is for one process: 78', async () => {
    expect(await outcome('1', { DATABASE_URL: '' })).toEqual({
      code: 78,
      said: 'The embedded database is for one process: set DATABASE_URL to a Postgres, or leave --workers out.\n',
    })
  })

  test('a database out of reach: 69, one sentence, however many there were to be', async () => {
    const { code, said } = await outcome('auto', { DATABASE_URL: 'postgresql://a:b@127.0.0.1:1/c' })
    expect(code).toBe(69)
    expect(said).toMatch(/^DATABASE_URL cannot be used: nothing listens [^\n]+\n$/)
  })

  test('a port that is taken: 69, one sentence', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const port = String(typeof address === 'object' && address?.port)
    const { code, said } = await outcome('2', { PORT: port })
    taken.close()
    expect(code).toBe(69)
    expect(said).toMatch(new RegExp(`^Port ${port} is taken: [^\\n]+\\n$`))
  })
})
