import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import {
  cleanUp,
  docket,
  type Environment,
  leaks,
  newFolder,
  secret,
  startDocket,
} from '../support/process.ts'
import { admin, withDatabase } from '../support/real-postgres.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const server = inject('postgresUrl')
const name = `docket_process_${randomBytes(6).toString('hex')}`
const empty = withDatabase(server, name)
let migrated: FreshDatabase
beforeAll(async () => {
  await admin(server, `create database ${name}`)
  migrated = await freshDatabase()
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
  await admin(server, `drop database if exists ${name} with (force)`)
  await migrated.drop()
})

const production = {
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  PORT: '0',
  AUTH_JWT_SECRET: secret('a-shared-secret-of-32-characters-or-more'),
  AUTH_JWT_ISSUER: 'https://app.example.com',
  AUTH_AUDIENCE: 'https://app.example.com',
}

async function outcome(command: string, environment: Environment) {
  const running = await docket([command], { environment: { DATA_DIR: await newFolder(), ...environment } })
  const { code } = await running.ended
  return { code, stdout: running.stdout(), stderr: running.stderr() }
}

test('outside production a start brings the database up to date, and says so once', async () => {
  const fresh = `${name}_fresh`
  await admin(server, `create database ${fresh}`)
  try {
    const environment = { DATABASE_URL: withDatabase(server, fresh), DATA_DIR: await newFolder() }
    for (const applied of [true, false]) {
      const started = await startDocket(environment)
      expect(started.stderr()).toContain('DATABASE_URL, brought up to date at each start')
      started.kill('SIGTERM')
      await started.ended
      const events = started
        .stdout()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(events.filter(({ event }) => event === 'migrated')).toEqual(
        applied
          ? [expect.objectContaining({ applied: expect.arrayContaining([expect.stringMatching(/^0001_/)]) })]
          : [],
      )
    }
  } finally {
    await admin(server, `drop database ${fresh} with (force)`)
  }
})

test('production: an unmigrated database names the command; migrate does it once; then it starts, without a banner', async () => {
  const environment = { ...production, DATABASE_URL: empty }
  const refused = await outcome('start', environment)
  expect(refused).toMatchObject({ code: 78, stdout: '' })
  expect(refused.stderr).toMatch(/^The database lacks 0001_\w+\.sql.*: run npx docket migrate\.\n$/)
  const doctored = await outcome('doctor', environment)
  expect(doctored.code).toBe(1)
  expect(doctored.stdout).toContain('run npx docket migrate')

  const first = await outcome('migrate', environment)
  expect(first).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(first.stdout).applied[0]).toMatch(/^0001_/)
  expect(JSON.parse((await outcome('migrate', environment)).stdout)).toEqual({
    applied: [],
    restored: [],
    differences: [],
  })

  expect(await outcome('doctor', environment)).toMatchObject({ code: 0 })
  const running = await startDocket(environment)
  expect((await fetch(`${running.url}/readyz`)).status).toBe(200)
  running.kill('SIGTERM')
  expect(await running.ended).toEqual({ code: 0, signal: null })
  expect(running.stderr()).toBe('')
})

test('production: rights that a restore left out and a leak are named by start and doctor; migrate restores the rights', async () => {
  const { url, drop } = await freshDatabase()
  const environment = { ...production, DATABASE_URL: url }
  const lacks = 'docket_app lacks INSERT on docket.tasks: run npx docket migrate.'
  const leak = 'docket.tasks has the policy leak, which the migrations did not make: drop it.'
  const findings = async () => {
    const { code, stdout } = await outcome('doctor', environment)
    const all: { check: string; ok: boolean; detail: string }[] = JSON.parse(stdout).findings
    return { code, found: all.filter(({ check }) => check === 'protection').map(({ detail }) => detail) }
  }
  try {
    const intact = 'rights and policies are those that the migrations made'
    expect(await findings()).toEqual({ code: 0, found: [intact] })
    await admin(
      url,
      'revoke insert on docket.tasks from docket_app; create policy leak on docket.tasks using (true)',
    )
    expect(await outcome('start', environment)).toMatchObject({
      code: 78,
      stdout: '',
      stderr: `Rights and policies are not those that the migrations made.\n  ${leak}\n  ${lacks}\n`,
    })
    expect(await findings()).toEqual({ code: 1, found: [leak, lacks] })
    expect(JSON.parse((await outcome('migrate', environment)).stdout)).toEqual({
      applied: [],
      restored: ['granted INSERT on docket.tasks to docket_app'],
      differences: [leak],
    })
    await admin(url, 'drop policy leak on docket.tasks')
    const running = await startDocket(environment)
    expect(await (await fetch(`${running.url}/readyz`)).json()).toMatchObject({
      status: 'ok',
      isolation: true,
    })
    running.kill('SIGTERM')
    await running.ended
  } finally {
    await drop()
  }
})

test('doctor and migrate tell a migration URL of the same database from another, and from none', async () => {
  const look = async (migrationUrl: string) => {
    const urls = { DATABASE_URL: migrated.url, DATABASE_MIGRATION_URL: migrationUrl }
    const { code, stdout } = await outcome('doctor', { ...production, ...urls })
    const findings: { check: string; detail: string }[] = JSON.parse(stdout).findings
    return [code, findings.find(({ check }) => check === 'migration URL')?.detail]
  }
  expect(await look(`${migrated.url}?application_name=migration`)).toEqual([0, 'reached, the same database'])
  expect(await look(server)).toEqual([
    1,
    expect.stringMatching(/^DATABASE_MIGRATION_URL names another database/),
  ])
  const urls = { DATABASE_URL: migrated.url, DATABASE_MIGRATION_URL: server }
  expect(await outcome('migrate', { ...production, ...urls })).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/^DATABASE_MIGRATION_URL names another database[^\n]+\n$/),
  })
  expect(await look('postgresql://a:b@127.0.0.1:1/c')).toEqual([
    1,
    expect.stringMatching(/^DATABASE_MIGRATION_URL cannot be used: nothing listens/),
  ])
})

test('two that migrate at the same time do it once between them', async () => {
  await admin(server, `drop database ${name}`)
  await admin(server, `create database ${name}`)
  const both = await Promise.all([1, 2].map(() => outcome('migrate', { ...production, DATABASE_URL: empty })))
  expect(both.map(({ code }) => code)).toEqual([0, 0])
  const applied = both.map(({ stdout }) => JSON.parse(stdout).applied.length > 0)
  expect(applied.sort()).toEqual([false, true])
})

describe('a Postgres that refuses: one sentence, not 0, no stack, no secret', () => {
  const password = secret('Sup3r-secret-passw0rd')
  const cases: [what: string, url: () => string, code: number, sentence: RegExp][] = [
    [
      'wrong password',
      () => withDatabase(migrated.url, migrated.name, { name: 'postgres', password }),
      69,
      /the password is wrong, or the password is missing: copy the URL again/,
    ],
    [
      'no such user',
      () => withDatabase(migrated.url, migrated.name, { name: 'nobody', password }),
      69,
      /the (password is wrong, or|login is refused)/,
    ],
    ['no password', () => migrated.url.replace(/:[^:@]*@/, '@'), 69, /the password is (wrong or )?missing/],
    [
      'no such database',
      () => withDatabase(migrated.url, 'not_there'),
      69,
      /the database does not exist: create it/,
    ],
    [
      'TLS asked of a server without',
      () => `${migrated.url}?sslmode=require`,
      69,
      /the server speaks no TLS: where the network is your own, say sslmode=disable/,
    ],
  ]
  test.for(cases)('%s', async ([, url, code, sentence]) => {
    for (const environment of [{ DATABASE_URL: url() }, { ...production, DATABASE_URL: url() }]) {
      const refused = await outcome('start', { PORT: '0', ...environment })
      expect(refused).toMatchObject({ code, stdout: '' })
      expect(refused.stderr).toMatch(/^DATABASE_URL cannot be used: [^\n]+\.\n$/)
      expect(refused.stderr).toMatch(sentence)
    }
  })
})

test('SIGTERM with the database on its way ends with 0 and leaves no connection behind', async () => {
  const running = await startDocket({ ...production, DATABASE_URL: migrated.url })
  running.kill('SIGTERM')
  expect(await running.ended).toEqual({ code: 0, signal: null })
  const left = await admin(
    server,
    `select 1 from pg_stat_activity where datname = '${migrated.name}' and application_name = 'docket'`,
  )
  expect(left).toEqual([])
})
