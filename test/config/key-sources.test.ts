import { describe, expect, test } from 'vitest'
import type { Environment } from '../../src/config/environment.ts'
import { loadConfig } from '../../src/config.ts'
import { faults, faultyVariables } from './refusal.ts'

const databaseUrl = 'postgresql://docket:pa55@db.internal/docket?sslmode=require'
const secret = 'a shared secret of more than thirty-two bytes'
const production = { NODE_ENV: 'production', DATABASE_URL: databaseUrl, BETTER_AUTH_URL: 'https://app.test' }

describe('key sources', () => {
  test('BETTER_AUTH_URL gives key set, issuer and audience', () => {
    expect(loadConfig({ BETTER_AUTH_URL: 'https://App.test:443/' }).config).toMatchObject({
      keySet: {
        url: 'https://app.test/api/auth/jwks',
        issuers: ['https://app.test'],
        audiences: ['https://app.test'],
      },
      builtInIssuer: false,
    })
  })

  test('AUTH_JWKS_URL, AUTH_ISSUER and AUTH_AUDIENCE each override what BETTER_AUTH_URL gives', () => {
    const { config } = loadConfig({
      BETTER_AUTH_URL: 'https://app.test',
      AUTH_JWKS_URL: 'https://keys.test/set?v=1',
      AUTH_ISSUER: 'https://one.test, https://two.test,, https://one.test',
      AUTH_AUDIENCE: 'api,mobile',
    })
    expect(config.keySet).toEqual({
      url: 'https://keys.test/set?v=1',
      issuers: ['https://one.test', 'https://two.test'],
      audiences: ['api', 'mobile'],
    })
  })

  test.each(['BETTER_AUTH_URL', 'AUTH_JWKS_URL'])(
    '%s may name a host inside a network by http only where AUTH_ALLOW_HTTP_KEYS says so, also in production',
    (name) => {
      const named = {
        ...production,
        BETTER_AUTH_URL: 'https://app.test',
        [name]: 'http://app.internal:3000/',
      }
      expect(faults(named)).toEqual([
        expect.stringMatching(
          new RegExp(`^${name} must begin with https:// .+AUTH_ALLOW_HTTP_KEYS=true.+can forge`),
        ),
      ])
      expect(faultyVariables({ ...named, AUTH_ALLOW_HTTP_KEYS: 'false' })).toEqual([name])
      const { keySet } = loadConfig({ ...named, AUTH_ALLOW_HTTP_KEYS: 'true' }).config
      expect(keySet).toMatchObject({
        url: expect.stringContaining('http://app.internal:3000/'),
        allowHttp: true,
      })
    },
  )

  test('AUTH_ALLOW_HTTP_KEYS lets in no other scheme, no password and no path', () => {
    for (const url of ['ftp://app.internal', 'http://a:b@app.internal', 'http://app.internal/path'])
      expect(faultyVariables({ BETTER_AUTH_URL: url, AUTH_ALLOW_HTTP_KEYS: 'true' })).toEqual([
        'BETTER_AUTH_URL',
      ])
  })

  test('a shared secret may stand beside a key set, each with issuers of its own', () => {
    const { config, secrets } = loadConfig({
      BETTER_AUTH_URL: 'https://app.test',
      AUTH_JWT_SECRET: secret,
      AUTH_JWT_ISSUER: 'https://login.test',
      AUTH_AUDIENCE: 'api',
    })
    expect(config.sharedSecret).toEqual({ issuer: 'https://login.test', audiences: ['api'] })
    expect(config.keySet).toMatchObject({ issuers: ['https://app.test'], audiences: ['api'] })
    expect(Buffer.from(secrets.jwtSecret?.reveal() ?? []).toString()).toBe(secret)
  })

  test('a shared secret alone is a key source, also in production', () => {
    const { config } = loadConfig({
      NODE_ENV: 'production',
      DATABASE_URL: databaseUrl,
      AUTH_JWT_SECRET: secret,
      AUTH_JWT_ISSUER: 'login',
      AUTH_AUDIENCE: 'api',
    })
    expect(config).not.toHaveProperty('keySet')
    expect(config).toMatchObject({ sharedSecret: { issuer: 'login' }, builtInIssuer: false })
  })
})

describe('the origins whose pages may call', () => {
  test('are that of the app with Better Auth, as browsers write it, unless CORS_ORIGINS names others', () => {
    const { corsOrigins } = loadConfig({ BETTER_AUTH_URL: 'https://App.test:443/' }).config
    expect(corsOrigins).toEqual(['https://app.test'])
    const named = { BETTER_AUTH_URL: 'https://app.test', CORS_ORIGINS: 'https://web.test' }
    expect(loadConfig(named).config.corsOrigins).toEqual(['https://web.test'])
  })

  test('are none without either', () => {
    expect(loadConfig({}).config.corsOrigins).toEqual([])
    const keys = { AUTH_JWKS_URL: 'https://keys.test/set', AUTH_ISSUER: 'me', AUTH_AUDIENCE: 'api' }
    expect(loadConfig(keys).config.corsOrigins).toEqual([])
  })
})

describe('values that need each other', () => {
  const jwks = { AUTH_JWKS_URL: 'https://keys.test/set' }
  const hs256 = { AUTH_JWT_SECRET: secret }

  test.each<[guarantee: string, environment: Environment, refused: string[]]>([
    [
      'production needs a database and a key source',
      { NODE_ENV: 'production' },
      ['DATABASE_URL', 'BETTER_AUTH_URL'],
    ],
    ['production needs a database', { ...production, DATABASE_URL: undefined }, ['DATABASE_URL']],
    ['production needs a key source', { ...production, BETTER_AUTH_URL: '' }, ['BETTER_AUTH_URL']],
    ['a migration URL needs a database', { DATABASE_MIGRATION_URL: databaseUrl }, ['DATABASE_URL']],
    ['a key set alone needs issuer and audience', jwks, ['AUTH_ISSUER', 'AUTH_AUDIENCE']],
    ['a key set alone needs an audience', { ...jwks, AUTH_ISSUER: 'me' }, ['AUTH_AUDIENCE']],
    ['a shared secret needs issuer and audience', hs256, ['AUTH_AUDIENCE', 'AUTH_JWT_ISSUER']],
    [
      'a shared secret does not borrow the audience of a key set',
      { ...hs256, AUTH_JWT_ISSUER: 'login', BETTER_AUTH_URL: 'https://app.test' },
      ['AUTH_AUDIENCE'],
    ],
    ['an issuer of a shared secret needs the secret', { AUTH_JWT_ISSUER: 'login' }, ['AUTH_JWT_SECRET']],
    [
      'an issuer of a key set needs the key set',
      { ...hs256, AUTH_JWT_ISSUER: 'login', AUTH_AUDIENCE: 'api', AUTH_ISSUER: 'me' },
      ['AUTH_ISSUER'],
    ],
    [
      'issuer and audience need a key source',
      { AUTH_ISSUER: 'me', AUTH_AUDIENCE: 'api' },
      ['AUTH_ISSUER', 'AUTH_AUDIENCE'],
    ],
    [
      'an issuer has one kind of key: not the origin of BETTER_AUTH_URL',
      {
        ...hs256,
        AUTH_JWT_ISSUER: 'https://app.test',
        AUTH_AUDIENCE: 'api',
        BETTER_AUTH_URL: 'https://app.test',
      },
      ['AUTH_JWT_ISSUER'],
    ],
    [
      'an issuer has one kind of key: not one in AUTH_ISSUER',
      { ...hs256, ...jwks, AUTH_JWT_ISSUER: 'b', AUTH_AUDIENCE: 'api', AUTH_ISSUER: 'a,b' },
      ['AUTH_JWT_ISSUER'],
    ],
  ])('%s', (_guarantee, environment, refused) => {
    expect(faultyVariables(environment)).toEqual(refused)
  })
})
