import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Answer, type Caller, startApi, type TestApi } from '../support/api.ts'
import { startProxy } from '../support/proxy.ts'
import { faults, mountSmall, recoveryMs, requestMs, type World } from './faults.ts'
import { type MortalPostgres, startMortalPostgres } from './mortal-postgres.ts'

let postgres: MortalPostgres
beforeAll(async () => {
  postgres = await startMortalPostgres({ flags: ['max_connections=20'] })
})
afterAll(() => postgres.remove())

type Scene = World & { readonly api: TestApi; readonly ann: Caller }

async function scene(server: MortalPostgres): Promise<Scene> {
  const proxy = await startProxy(server.url)
  const api = await startApi({}, { databaseUrl: proxy.url })
  const admin = new pg.Client({ connectionString: server.url })
  admin.on('error', () => undefined)
  await admin.connect()
  onTestFinished(async () => {
    await admin.end().catch(() => undefined)
    await api.close()
    await proxy.close()
  })
  return { postgres: server, proxy, api, admin, ann: await api.newOwner() }
}

const read = ({ ann }: Scene) => ann.call('/tasks?limit=1')
const write = ({ ann }: Scene) => ann.call('/tasks', { body: { title: 'x' } })

/** Asks a few times, side by side, and times the slowest. */
async function during(ask: () => Promise<Answer>) {
  const start = performance.now()
  const answers = await Promise.all([ask(), ask(), ask()])
  return { answers, tookMs: performance.now() - start }
}

function expectOneOf(statuses: readonly number[], answers: readonly Answer[]): void {
  for (const answer of answers) {
    expect(statuses).toContain(answer.status)
    if (answer.status !== 503) continue
    expect(answer.json()).toMatchObject({ code: 'unavailable' })
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  }
}

/** How long it takes, from now on, until a read and a write are served; in milliseconds. */
async function recovery(at: Scene): Promise<number> {
  const start = performance.now()
  for (const [ask, ok] of [
    [read, 200],
    [write, 201],
  ] as const)
    while ((await ask(at)).status !== ok)
      if (performance.now() - start > 30_000) throw new Error('it does not come back')
  return performance.now() - start
}

const eventsOf = ({ api }: Scene) =>
  api
    .logged()
    .split('\n')
    .filter((line) => line !== '' && !line.includes('"event":"request"'))

test.each(faults)('$name', async ({ name, inject, read: reads, write: writes }) => {
  const at = await scene(postgres)
  expectOneOf([201], [await write(at)])
  const heal = await inject(at)
  let healed = false
  onTestFinished(async () => void (healed || (await heal())))

  const asked = await Promise.all([during(() => read(at)), during(() => write(at))])
  expectOneOf(reads, asked[0].answers)
  expectOneOf(writes, asked[1].answers)
  for (const { tookMs } of asked) expect(tookMs).toBeLessThan(requestMs)
  expect((await at.api.call('/livez')).status).toBe(200)

  await heal()
  healed = true
  const tookMs = await recovery(at)
  process.stderr.write(`  ${name}: back after ${Math.round(tookMs)} ms\n`)
  expect(tookMs).toBeLessThan(recoveryMs)
  await expect.poll(async () => (await at.api.call('/readyz')).status, { timeout: recoveryMs }).toBe(200)
  // However many requests failed: lost, and back.
  expect(eventsOf(at).length).toBeLessThanOrEqual(4)
})

test('queue full', async () => {
  const at = await scene(postgres)
  await at.admin.query('begin')
  await at.admin.query('lock table docket.tasks in access exclusive mode')
  const answers: Promise<Answer>[] = []
  let early = 0
  for (let i = 0; i < 300; i++)
    answers.push(
      read(at).then((answer) => {
        early++
        return answer
      }),
    )
  // One owner may have 4 in flight and 250 waiting.
  await expect.poll(() => early).toBe(46)
  await at.admin.query('rollback')
  const all = await Promise.all(answers)
  expectOneOf([200, 503], all)
  expect(all.filter(({ status }) => status === 503)).toHaveLength(46)
  expect(await recovery(at)).toBeLessThan(recoveryMs)
})

test('disk full', async ({ skip }) => {
  const small = await mountSmall(160)
  if (small === undefined) {
    process.stderr.write(
      '  NOT SHOWN: a full disk, because a small tmpfs cannot be mounted here (root may).\n',
    )
    return skip('a tmpfs cannot be mounted here')
  }
  const server = await startMortalPostgres({ folder: small.folder })
  onTestFinished(async () => {
    await server.remove()
    await small.unmount()
  })
  const at = await scene(server)
  const large = () => at.ann.call('/tasks', { body: { title: 'x', description: noise() } })
  expectOneOf([201], [await large()])
  const empty = await small.fill()
  let answer = await large()
  for (let i = 0; i < 1_000 && answer.status === 201; i++) answer = await large()
  expectOneOf([503], [answer])
  expect(at.api.logged()).toContain('"code":"53100"')
  expectOneOf([200], [await read(at)])
  await empty()
  expect(await recovery(at)).toBeLessThan(recoveryMs)
})

/** Ten thousand characters that do not compress. */
const noise = () =>
  Array.from({ length: 10_000 }, () => String.fromCharCode(33 + Math.floor(Math.random() * 94))).join('')
