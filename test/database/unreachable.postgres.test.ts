import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgres } from '../../src/database/database.ts'
import { openPostgresDatabase } from '../../src/database/open.ts'
import { askOne } from '../support/ask.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { freePort } from '../support/real-postgres.ts'
import { echo, outcome, until } from './gate.ts'
import { type Refusal, startRefusingServer } from './refusing-server.ts'

let postgres: FreshDatabase
beforeAll(async () => {
  postgres = await freshDatabase()
})
afterAll(() => postgres.drop())

const log = pino({ enabled: false })
const statements = [echo]
const start = (url: string) =>
  openPostgresDatabase({ url, migrationUrl: url, migrates: false, statements, log })

const asleep = { code: 'XX000', message: "Couldn't connect to compute node" }
const spent = {
  code: 'XX000',
  message:
    'Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.',
}
const starting = { code: '57P03', message: 'the database system is starting up' }

test.each<[what: string, refusal: Refusal, tries: number, sentence: RegExp]>([
  ['a wrong password', { code: '28P01', message: 'password authentication failed' }, 1, /password is wrong/],
  ['no such database', { code: '3D000', message: 'database "x" does not exist' }, 1, /create it, or correct/],
  [
    'no right to connect',
    { code: '42501', message: 'permission denied for database' },
    1,
    /grant it CONNECT/,
  ],
  ['a spent quota', spent, 1, /quota of its Neon project is used up: raise/],
  [
    'no such endpoint',
    { code: 'XX000', message: 'The requested endpoint could not be found' },
    1,
    /Neon console/,
  ],
  ['asleep', asleep, 3, /Neon could not wake it: try again/],
  [
    'no control plane',
    { code: 'XX000', message: 'Control plane request failed' },
    3,
    /Neon could not wake it/,
  ],
  ['starting', starting, 3, /starting up or shutting down: try again/],
  [
    'no connection left',
    { code: '53300', message: 'sorry, too many clients already' },
    3,
    /no connection left/,
  ],
])(
  '%s stops the start with one sentence, after no more attempts than make sense',
  async (_what, refusal, tries, sentence) => {
    await using server = await startRefusingServer({ refusal, behind: postgres.url })
    await expect(start(server.url)).rejects.toMatchObject({
      name: 'StartError',
      exitCode: 69,
      message: expect.stringMatching(/^DATABASE_URL cannot be used: [^\n]+\.$/),
    })
    expect(server.tries()).toBe(tries)
    await expect(start(server.url)).rejects.toThrow(sentence)
  },
)

test.each([
  ['that Neon is still waking', asleep],
  ['that is still starting', starting],
])('a database %s is waited for', async (_what, refusal) => {
  await using server = await startRefusingServer({ refusal, times: 2, behind: postgres.url })
  const { database } = await start(server.url)
  expect(await askOne(database, 'ann', echo, { word: 'here' })).toBe('here')
  await database.close()
})

test('a moment in which no connection is to be had is not noticed by who asks', async () => {
  await using server = await startRefusingServer({ refusal: asleep, times: 0, behind: postgres.url })
  const database = await openPostgres({ url: server.url, statements, log, limits: { idleMs: 50 } })
  server.refuse(asleep, 1)
  expect(await askOne(database, 'ann', echo, { word: 'here' })).toBe('here')
  // The first was refused.
  expect(server.tries()).toBeGreaterThanOrEqual(2)
  expect(database.reachable()).toBe(true)
  await database.close()
})

test('a spent quota is not asked about again and again; a server that is down is', async () => {
  await using quota = await startRefusingServer({ refusal: spent, times: 0, behind: postgres.url })
  await using down = await startRefusingServer({ refusal: asleep, times: 0, behind: postgres.url })
  const [one, other] = await Promise.all(
    [quota, down].map(({ url }) => openPostgres({ url, statements, log })),
  )
  if (one === undefined || other === undefined) throw new Error('not opened')
  quota.refuse(spent)
  down.refuse(asleep)
  for (const database of [one, other])
    expect(await outcome(askOne(database, 'ann', echo, { word: 'x' }))).toMatch(/^unavailable/)
  const tried = down.tries()
  await until(() => down.tries() >= tried + 3)
  for (let i = 0; i < 5; i++)
    expect(await outcome(askOne(one, 'ann', echo, { word: 'x' }))).toBe('unavailable')
  expect(quota.tries()).toBe(1)
  await Promise.all([one.close(), other.close()])
})

test('nothing listens: the start ends with a sentence', async () => {
  const url = new URL(postgres.url)
  url.port = String(await freePort())
  await expect(start(url.href)).rejects.toThrow(/nothing listens at its host and port: start the database/)
})
