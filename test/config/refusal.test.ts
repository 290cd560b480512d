import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { variables } from '../../src/config/variables.ts'
import { loadConfig } from '../../src/config.ts'
import { faults, faultyVariables, refusal } from './refusal.ts'

const databaseUrl = 'postgresql://docket:pa55@db.internal/docket?sslmode=require'
const secret = 'a shared secret of more than thirty-two bytes'
const production = { NODE_ENV: 'production', DATABASE_URL: databaseUrl, BETTER_AUTH_URL: 'https://app.test' }

describe('a refusal', () => {
  test('lists every fault at once, one line each, and ends the process with 78', () => {
    const faulty = {
      NODE_ENV: 'staging',
      HOST: 'http://x',
      PORT: '99999',
      DATABASE_URL: 'mysql://db/docket',
      DATABASE_MIGRATION_URL: 'nowhere',
      DATABASE_CONNECTIONS: '0',
      BETTER_AUTH_URL: 'http://app.test/api/auth',
      AUTH_JWKS_URL: 'keys.test',
      AUTH_ISSUER: ',',
      AUTH_AUDIENCE: 'a b',
      AUTH_JWT_SECRET: 'short',
      AUTH_JWT_ISSUER: 'a,b',
      AUTH_TOKEN_HORIZON: 'week',
      RATE_LIMIT: 'many',
      RATE_LIMIT_ADDRESS: '1e3',
      TRUSTED_PROXIES: 'all',
      CORS_ORIGINS: '*',
      LOG_LEVEL: 'loud',
    }
    const error = refusal(faulty)
    expect(error.exitCode).toBe(78)
    expect(error.message).toMatch(/^Docket cannot start: 18 settings are wrong or missing\.\n/)
    expect(faultyVariables(faulty)).toEqual(Object.keys(faulty))
  })

  test('production wants to know how the way to the database is protected, for each URL', () => {
    const url = (host: string) => `postgresql://docket:pa55@${host}`
    const undecided = url('db.internal/docket')
    const both = { ...production, DATABASE_URL: undecided, DATABASE_MIGRATION_URL: undecided }
    expect(faultyVariables(both)).toEqual(['DATABASE_URL', 'DATABASE_MIGRATION_URL'])
    expect(faults(both)[0]).toMatch(/must say how .* sslmode=require .* sslmode=disable .* of your own/)
    const decided = ['db.internal/d?sslmode=disable', 'db.internal/d?a=b&sslmode=require']
    const local = [
      'localhost/d',
      '127.0.0.1:5432/d',
      '[::1]/d',
      '%2Frun%2Fpostgresql/d',
      'db/d?host=/run/postgresql',
      'localhost/d?host=',
    ]
    for (const host of [...decided, ...local])
      expect(loadConfig({ ...production, DATABASE_URL: url(host) }).config.database.kind).toBe('postgres')
    for (const host of [
      // As `sslmode=$UNSET` in a shell; and what `pg` would take of several.
      ...['sslmode=', 'sslmode', 'sslmode=off', 'ssl=true', 'ssl=0', ''].map(
        (query) => `db.internal/d?${query}`,
      ),
      'db.internal/d?sslmode=require&sslmode=',
      'localhost/d?host=localhost&host=db.internal',
      'db.internal/d?host=/run/postgresql&host=',
      'db.internal/sslmode=require',
      'localhost.example.com/d',
      'localhost/d?host=db.internal',
    ])
      expect(faultyVariables({ ...production, DATABASE_URL: url(host) })).toEqual(['DATABASE_URL'])
    expect(faultyVariables({ DATABASE_URL: url('%zz/d') })).toEqual(['DATABASE_URL'])
    const overHttp = { ...production, DATABASE_URL: undecided, DATABASE_DRIVER: 'neon-http' }
    expect(loadConfig(overHttp).config.database).toMatchObject({ driver: 'neon-http' })
    expect(loadConfig({ DATABASE_URL: undecided }).config.database.kind).toBe('postgres')
  })

  test('tells both faults of one value and which entries of a list are wrong', () => {
    expect(faults({ BETTER_AUTH_URL: 'http://app.test/api/auth' })).toEqual([
      expect.stringMatching(/must begin with https:.*; must be an origin only/),
    ])
    expect(faults({ CORS_ORIGINS: 'https://a.test,null,https://b.test,*' })).toEqual([
      expect.stringMatching(/^CORS_ORIGINS entry 2 must .*; entry 4 must /),
    ])
  })

  test('names a variable once, however many others need it', () => {
    const lines = faults({ AUTH_JWKS_URL: 'https://keys.test/set', AUTH_JWT_SECRET: secret })
    expect(lines.filter((line) => line.startsWith('AUTH_AUDIENCE '))).toEqual([
      expect.not.stringMatching(/is missing.*is missing/),
    ])
  })

  test('never holds a value, secret or not, whichever variable it was put into', () => {
    const names = Object.values(variables).map(({ name }) => name)
    // However such a value is cut at its separators, each piece holds the mark.
    const marked = fc
      .tuple(
        fc.constantFrom('', 'https://', 'postgres://', 'mysql://'),
        fc.array(fc.constantFrom(...':/@#,?%.&= '), { maxLength: 12 }),
      )
      .map(([scheme, separators]) => scheme + ['', ...separators].map((one) => `${one}zq9`).join(''))
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), marked), (environment) => {
        const error = refusal({ ...environment, PORT: 'zq9' })
        const told = error.message + error.stack + inspect(error, { depth: 9, showHidden: true })
        expect(told.toLowerCase()).not.toContain('zq9')
      }),
    )
  })
})

describe('a secret', () => {
  const { secrets } = loadConfig({
    DATABASE_URL: databaseUrl,
    DATABASE_MIGRATION_URL: databaseUrl,
    AUTH_JWT_SECRET: secret,
    AUTH_JWT_ISSUER: 'login',
    AUTH_AUDIENCE: 'api',
  })

  test('is [secret] in JSON, to inspect and in a template', () => {
    expect(JSON.stringify(secrets.jwtSecret)).toBe('"[secret]"')
    expect(inspect(secrets.jwtSecret)).toBe('[secret]')
    expect(`${secrets.jwtSecret}`).toBe('[secret]')
  })

  test.each([
    ['JSON', (value: unknown) => JSON.stringify(value)],
    ['inspection', (value: unknown) => inspect(value)],
    ['forced inspection', (value: unknown) => inspect(value, { showHidden: true, customInspect: false })],
    ['its own keys', (value: object) => JSON.stringify(Object.values(value).flatMap(Object.entries))],
    ['a template', (value: object) => Object.values(value).map((one) => `${one}`)],
  ])('does not show itself by %s', (_way, show) => {
    expect(String(show(secrets))).not.toMatch(/pa55|db\.internal|shared secret|97, ?32|"0"/)
  })

  test('shows itself to reveal()', () => {
    expect(new Secret('it').reveal()).toBe('it')
  })

  test('is in no part of the config', () => {
    const { config } = loadConfig({
      ...production,
      AUTH_AUDIENCE: 'api',
      AUTH_JWT_SECRET: secret,
      AUTH_JWT_ISSUER: 'l',
    })
    expect(JSON.stringify(config)).not.toMatch(/pa55|shared secret/)
  })
})
