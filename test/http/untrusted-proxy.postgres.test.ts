import { hash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApi, type TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const forwarded = { 'x-forwarded-for': '192.0.2.1' }

/** The lines of one event that the work on an API with these settings leaves. */
async function linesOf(
  event: string,
  settings: Record<string, string>,
  work: (api: TestApi) => Promise<void>,
) {
  const api = await startApi(
    { NODE_ENV: 'production', RATE_LIMIT_ADDRESS: '2', ...settings },
    { databaseUrl: database.url },
  )
  try {
    await work(api)
    expect(api.logged()).not.toMatch(/127\.0\.0\.1"|192\.0\.2\.1/)
    const lines = api.logged().trim().split('\n')
    return lines.map((line) => JSON.parse(line)).filter((line) => line.event === event)
  } finally {
    await api.close()
  }
}

const ask = async (api: TestApi, headers: Record<string, string>) => {
  for (let i = 0; i < 4; i++) await (await api.newOwner()).call('/me', { headers })
}

test('in production the first X-Forwarded-For from a peer that is no trusted proxy is told once, with what to do', async () => {
  const told = await linesOf('proxy_untrusted', {}, (api) => ask(api, forwarded))
  expect(told).toMatchObject([{ level: 40, advice: expect.stringContaining('TRUSTED_PROXIES') }])
  expect(told[0].peer).toMatch(/^[0-9a-f]{12}$/)
  expect(told[0].peer).not.toBe(hash('sha256', '127.0.0.1').slice(0, 12))
})

test('also when other proxies are trusted', async () => {
  const settings = { TRUSTED_PROXIES: '10.0.0.0/8' }
  expect(await linesOf('proxy_untrusted', settings, (api) => ask(api, forwarded))).toHaveLength(1)
})

test.each<[what: string, settings: Record<string, string>, headers: Record<string, string>]>([
  ['the peer is a trusted proxy', { TRUSTED_PROXIES: '127.0.0.1' }, forwarded],
  ['there is no such header', {}, {}],
  ['this is not production', { NODE_ENV: 'test' }, forwarded],
])('nothing is told when %s', async (_what, settings, headers) => {
  expect(await linesOf('proxy_untrusted', settings, (api) => ask(api, headers))).toEqual([])
})

test('the peer has the digest by which the log tells that it is limited, and another one in another process', async () => {
  const peers: string[] = []
  for (let process = 0; process < 2; process++) {
    const callers = await linesOf('rate_limited', {}, async (api) => {
      for (let i = 0; i < 4; i++) await api.call('/api/v1/me', { headers: forwarded })
      const [, peer = ''] = /"peer":"(\w+)"/.exec(api.logged()) ?? []
      peers.push(peer)
    })
    expect(callers).toMatchObject([{ limit: 'address', caller: peers.at(-1) }])
  }
  expect(peers[0]).not.toBe(peers[1])
})
