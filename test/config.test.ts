import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Variable, variables } from '../src/config/variables.ts'
import { loadConfig, readEnvironment } from '../src/config.ts'
import { faults, faultyVariables } from './config/refusal.ts'

const databaseUrl = 'postgresql://docket:pa55@db.internal/docket?sslmode=require'
const production = { NODE_ENV: 'production', DATABASE_URL: databaseUrl, BETTER_AUTH_URL: 'https://app.test' }

describe('a name that is no setting', () => {
  const likely = (environment: Record<string, string>) =>
    loadConfig(environment).config.misspelt.map(({ name, meant }) => `${name}: ${meant}`)

  test.each([
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['database_url', 'DATABASE_URL'],
    ['RATE_LIMT_ADDRESS', 'RATE_LIMIT_ADDRESS'],
  ])('and looks like one is told: %s', (name, meant) => {
    expect(likely({ [name]: 'x' })).toEqual([`${name}: ${meant}`])
  })

  test.each([
    ['it looks like none', { PATH: '/bin', HOSTNAME: 'x', POST: 'x', DATABASE_PASSWORD: 'x' }],
    ['the setting itself is set', { CORS_ORIGIN: 'x', CORS_ORIGINS: 'https://app.test' }],
    ['it is empty', { CORS_ORIGIN: '' }],
  ])('is nobody’s business where %s', (_what, environment) => {
    expect(likely(environment)).toEqual([])
  })

  test('stands below what stops the start', () => {
    expect(faults({ ...production, DATABASE_URL: '', DATABASE_URI: databaseUrl })).toEqual([
      expect.stringMatching(/^DATABASE_URL is missing/),
      'DATABASE_URI is no setting: DATABASE_URL is.',
    ])
  })
})

describe('defaults', () => {
  test('nothing set is a development server on loopback with everything embedded', () => {
    expect(loadConfig({})).toEqual({
      config: {
        environment: 'development',
        production: false,
        host: '127.0.0.1',
        port: 8000,
        reusePort: false,
        dataDir: './.data',
        database: { kind: 'embedded' },
        builtInIssuer: true,
        demands: { scopes: [], verifiedEmail: false },
        taskQuota: 10_000,
        storageQuotaBytes: 20_000_000,
        rateLimit: { perOwner: 600, perAddress: 300, store: 'memory' },
        trustedProxies: [],
        corsOrigins: [],
        logLevel: 'info',
        tokenHorizonSeconds: 604_800,
        misspelt: [],
      },
      secrets: {},
    })
  })

  test('an empty variable is an unset one', () => {
    const empty = Object.fromEntries(Object.values(variables).map(({ name }) => [name, '']))
    expect(loadConfig(empty)).toEqual(loadConfig({}))
  })

  test('production listens on every address and embeds nothing', () => {
    const { config } = loadConfig(production)
    expect(config).toMatchObject({ production: true, host: '0.0.0.0', builtInIssuer: false })
    expect(config.database).toEqual({ kind: 'postgres', driver: 'auto', connections: 16 })
  })

  test('HOST wins over the default of production', () => {
    expect(loadConfig({ ...production, HOST: '::1' }).config.host).toBe('::1')
  })

  test('config and secrets are frozen to the bottom', () => {
    const { config, secrets } = loadConfig({ ...production, CORS_ORIGINS: 'https://app.test' })
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError)
    expect(() => Object.assign(config.rateLimit, { perOwner: 0 })).toThrow(TypeError)
    expect(() => Object.assign(config.keySet?.issuers ?? {}, ['https://evil.test'])).toThrow(TypeError)
    expect(() => Object.assign(config.corsOrigins, ['https://evil.test'])).toThrow(TypeError)
    expect(() => Object.assign(secrets, { jwtSecret: undefined })).toThrow(TypeError)
  })

  test('the environment passed in is not changed, and process.env is not read', () => {
    const given = Object.freeze({ PORT: '3000' })
    expect(loadConfig(given).config).toMatchObject({ port: 3000, environment: 'development' })
  })

  test('migrations run on DATABASE_MIGRATION_URL, or else on DATABASE_URL', () => {
    const direct = 'postgres://docket@direct.internal/docket'
    const apart = loadConfig({ DATABASE_URL: databaseUrl, DATABASE_MIGRATION_URL: direct })
    expect(apart.secrets.databaseUrl?.reveal()).toBe(databaseUrl)
    expect(apart.secrets.migrationUrl?.reveal()).toBe(direct)
    expect(loadConfig({ DATABASE_URL: databaseUrl }).secrets.migrationUrl?.reveal()).toBe(databaseUrl)
  })
})

describe('the declarations', () => {
  const declared = Object.values<Variable>(variables)
  const examples = Object.fromEntries(declared.map(({ name, example }) => [name, example]))

  test('all examples together are one valid configuration, each value in its place', () => {
    const { config } = loadConfig({ ...examples, AUTH_JWT_SECRET: 's'.repeat(32) })
    expect(config).toEqual({
      environment: 'production',
      production: true,
      host: '0.0.0.0',
      port: 3000,
      reusePort: true,
      dataDir: '/var/lib/docket',
      database: { kind: 'postgres', driver: 'neon-http', connections: 32 },
      betterAuthUrl: 'https://app.example.com',
      keySet: {
        allowHttp: true,
        url: 'https://app.example.com/api/auth/jwks',
        issuers: ['https://app.example.com'],
        audiences: ['https://app.example.com'],
      },
      sharedSecret: { issuer: 'https://login.example.com', audiences: ['https://app.example.com'] },
      builtInIssuer: false,
      demands: { scopes: ['tasks'], verifiedEmail: true },
      taskQuota: 500,
      storageQuotaBytes: 5_000_000,
      rateLimit: { perOwner: 1200, perAddress: 1000, store: 'postgres' },
      trustedProxies: ['10.0.0.0/8', 'fd00::/8'],
      corsOrigins: ['https://app.example.com', 'http://localhost:3000'],
      logLevel: 'debug',
      tokenHorizonSeconds: 3600,
      misspelt: [],
    })
  })

  test('the example of a secret is refused: a published secret is none', () => {
    expect(faultyVariables(examples)).toEqual(['AUTH_JWT_SECRET'])
  })

  test.each(declared)('$name tells what holds while it is unset', ({ default: fallback, unset }) => {
    expect([fallback, unset].filter((text) => text !== undefined)).toHaveLength(1)
  })
})

describe('the .env file', () => {
  const folders: string[] = []
  const before = { ...process.env }

  function folderWith(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'docket-env-'))
    folders.push(folder)
    writeFileSync(join(folder, '.env'), text)
    return folder
  }

  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  })

  test('fills in what is unset or empty and never overrides a set variable', () => {
    Object.assign(process.env, { PORT: '1', RATE_LIMIT: '' })
    expect(
      readEnvironment(folderWith('PORT=2\nRATE_LIMIT=3\nLOG_LEVEL="warn" # loud enough\n')),
    ).toMatchObject({
      PORT: '1',
      RATE_LIMIT: '3',
      LOG_LEVEL: 'warn',
    })
  })

  test('may be missing', () => {
    process.env.PORT = '1'
    expect(readEnvironment(join(tmpdir(), 'docket-no-such-folder')).PORT).toBe('1')
  })

  test('that cannot be read stops the start with 78', () => {
    const folder = folderWith('')
    rmSync(join(folder, '.env'))
    mkdirSync(join(folder, '.env'))
    expect(() => readEnvironment(folder)).toThrow(
      expect.objectContaining({ name: 'ConfigError', exitCode: 78 }),
    )
  })

  test('is read into a copy', () => {
    const environment = readEnvironment(folderWith('LOG_LEVEL=warn'))
    process.env.LOG_LEVEL = 'debug'
    expect(environment.LOG_LEVEL).toBe('warn')
  })
})
