import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { cleanUp, startDocket } from '../support/process.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { admin } from '../support/real-postgres.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'
import { recoveryMs } from './faults.ts'
import { type MortalPostgres, startMortalPostgres } from './mortal-postgres.ts'
import { everyTask, startWriters, type Verdict, verdict, type Writers } from './writers.ts'

afterAll(cleanUp)

type Kill = (postgres: MortalPostgres, proxy: TcpProxy) => Promise<void>

const kills: Readonly<Record<string, Kill>> = {
  'SIGKILL of the server and all its processes': async (postgres) => {
    await postgres.signalAll('SIGKILL')
    await postgres.start()
  },
  'pg_ctl stop -m immediate': async (postgres) => {
    await postgres.stop('immediate')
    await postgres.start()
  },
  'every backend terminated': async (postgres) => {
    await admin(
      postgres.url,
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'docket'`,
    )
  },
  'network cut': async (_postgres, proxy) => {
    await proxy.refuse()
    await sleep(100)
    await proxy.resume()
  },
}

type Played = Verdict & {
  readonly acknowledged: number
  readonly failures: number
  readonly longestRecoveryMs: number
  /** Lines of the log that are not about a request. */
  readonly events: number
}

/** Writes through the real command while the database dies again and again, and counts what came of it. */
async function play(options: {
  flags: readonly string[]
  kinds: readonly string[]
  rounds: number
  writesEach: number
}): Promise<Played> {
  const postgres = await startMortalPostgres({ flags: options.flags })
  onTestFinished(() => postgres.remove())
  const proxy = await startProxy(postgres.url)
  onTestFinished(() => proxy.close())
  const issuer = await startTokenIssuer()
  onTestFinished(() => issuer.close())
  const api = await startDocket({
    HOST: '127.0.0.1',
    DATABASE_URL: proxy.url,
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    RATE_LIMIT: '0',
    RATE_LIMIT_ADDRESS: '0',
    TASK_QUOTA: '100000',
  })
  let ended = false
  void api.ended.then(() => {
    ended = true
  })
  const writers = await startWriters({ url: () => api.url, issuer, count: 32 })
  let longestRecoveryMs = 0
  for (let round = 0; round < options.rounds; round++) {
    await writers.reach(writers.tasks.size + options.writesEach)
    const kind = options.kinds[round % options.kinds.length] ?? ''
    await kills[kind]?.(postgres, proxy)
    const tookMs = await recovery(writers)
    longestRecoveryMs = Math.max(longestRecoveryMs, tookMs)
    process.stderr.write(
      `  ${round + 1}/${options.rounds} ${kind}: back after ${Math.round(tookMs)} ms, ` +
        `${writers.tasks.size} acknowledged, ${writers.failures()} not\n`,
    )
  }
  await writers.reach(writers.tasks.size + options.writesEach)
  await writers.stop()
  expect(ended).toBe(false)
  const events = api.lines().filter(({ event }) => !String(event).startsWith('request')).length
  api.kill('SIGTERM')
  expect((await api.ended).code).toBe(0)
  const { lost, doubled } = verdict(writers.tasks, await everyTask(postgres.url))
  process.stderr.write(`  ${writers.tasks.size} acknowledged: ${lost} lost, ${doubled} doubled\n`)
  return {
    lost,
    doubled,
    acknowledged: writers.tasks.size,
    failures: writers.failures(),
    longestRecoveryMs,
    events,
  }
}

/** From the moment the database is back until the next write is acknowledged; in milliseconds. */
async function recovery(writers: Writers): Promise<number> {
  const start = performance.now()
  await writers.reach(writers.tasks.size + 1)
  return performance.now() - start
}

test('32 kills over 20,000 writes: none that was acknowledged is lost, none is there twice', {
  timeout: 600_000,
}, async () => {
  const rounds = 32
  const played = await play({ flags: [], kinds: Object.keys(kills), rounds, writesEach: 640 })
  expect(played).toMatchObject({ lost: 0, doubled: 0 })
  expect(played.acknowledged).toBeGreaterThanOrEqual(20_000)
  // Otherwise nothing was hit in flight.
  expect(played.failures).toBeGreaterThan(rounds)
  expect(played.longestRecoveryMs).toBeLessThan(recoveryMs)
  // Start, and for each kill at the most: lost, and back.
  expect(played.events).toBeLessThanOrEqual(4 + 2 * rounds)
})

test('the same with synchronous_commit=off does lose some, and it is noticed', {
  timeout: 120_000,
}, async () => {
  const flags = ['synchronous_commit=off', 'wal_writer_delay=10s', 'wal_writer_flush_after=1GB']
  const kinds = ['SIGKILL of the server and all its processes', 'pg_ctl stop -m immediate']
  const { lost, doubled } = await play({ flags, kinds, rounds: 4, writesEach: 300 })
  expect(lost).toBeGreaterThan(0)
  expect(doubled).toBe(0)
})
