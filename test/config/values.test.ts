import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { faults, faultyVariables } from './refusal.ts'

describe('one value', () => {
  const https = /must be a whole URL that begins with https/
  const loopback = /http:\/\/ is for localhost and other loopback addresses only/
  const originOnly = /must be an origin only/
  const postgresScheme = /must begin with postgresql:\/\/ or postgres:\/\//
  const postgresParts = /must name a host and a database/
  const corsOrigin = /must be an origin exactly as browsers send it/
  const address = /must be an address such as/

  test.each<[name: string, value: string, wrong: RegExp]>([
    ['NODE_ENV', 'prod', /must be one of development, test, production/],
    ['NODE_ENV', 'Production', /must be one of/],
    ['HOST', 'http://0.0.0.0', /must be an address or a host name/],
    ['HOST', '127.0.0.1:8000', /must be an address or a host name/],
    ['HOST', '[::1]', /must be an address or a host name/],
    ['PORT', '65536', /must be a whole number from 0 to 65535/],
    ['PORT', '-1', /must be a whole number/],
    ['PORT', '80.5', /must be a whole number/],
    ['PORT', '0x50', /must be a whole number/],
    ['PORT', ' 80', /must be a whole number/],
    ['DATABASE_URL', 'mysql://u:p@db/docket', postgresScheme],
    ['DATABASE_URL', 'db.internal/docket', postgresScheme],
    ['DATABASE_URL', 'postgres://u:p@db', postgresParts],
    ['DATABASE_URL', 'postgres://u:p@db/', postgresParts],
    ['DATABASE_URL', 'postgres:///docket', postgresParts],
    ['DATABASE_URL', 'postgres://u:p#w@db/docket', postgresParts],
    ['DATABASE_URL', 'postgres://u:100%@db/docket', postgresParts],
    ['DATABASE_CONNECTIONS', '0', /must be a whole number from 1 to 100/],
    ['DATABASE_CONNECTIONS', '101', /must be a whole number from 1 to 100/],
    ['BETTER_AUTH_URL', 'app.test', https],
    ['BETTER_AUTH_URL', 'ftp://app.test', https],
    ['BETTER_AUTH_URL', 'http://app.test', loopback],
    ['BETTER_AUTH_URL', 'http://127.0.0.1.app.test', loopback],
    ['BETTER_AUTH_URL', 'http://notlocalhost', loopback],
    ['BETTER_AUTH_URL', 'https://app.test/api/auth', originOnly],
    ['BETTER_AUTH_URL', 'https://app.test/api/auth', /AUTH_JWKS_URL/],
    ['BETTER_AUTH_URL', 'https://app.test/?a=b', originOnly],
    ['BETTER_AUTH_URL', 'https://u:p@app.test', /must hold no user name, password or fragment/],
    ['AUTH_JWKS_URL', 'http://keys.test/set', loopback],
    ['AUTH_JWKS_URL', 'https://keys.test/set#1', /must hold no user name, password or fragment/],
    ['AUTH_JWKS_URL', 'file:///keys.json', https],
    ['AUTH_ISSUER', ' , ', /must name at least one/],
    ['AUTH_ISSUER', 'https://app.test,my issuer', /entry 2 must be one value/],
    ['AUTH_AUDIENCE', ',', /must name at least one/],
    ['AUTH_JWT_SECRET', 'x'.repeat(31), /must have at least 32 bytes/],
    ['AUTH_JWT_ISSUER', 'https://a.test,https://b.test', /must be one value/],
    ['AUTH_TOKEN_HORIZON', '0', /must be a whole number from 1/],
    ['AUTH_TOKEN_HORIZON', '7d', /must be a whole number/],
    ['RATE_LIMIT', '-1', /must be a whole number from 0/],
    ['RATE_LIMIT_ADDRESS', 'off', /must be a whole number from 0/],
    ['TRUSTED_PROXIES', 'proxy.internal', address],
    ['TRUSTED_PROXIES', '10.0.0.0/33', address],
    ['TRUSTED_PROXIES', '::1,fd00::/129', /entry 2 must be an address/],
    ['TRUSTED_PROXIES', 'fe80::1%eth0', address],
    ['TRUSTED_PROXIES', '*', address],
    [
      'DATABASE_URL',
      'postgres://localhost/docket?sslmode=bogus',
      /may have an sslmode of disable, no-verify, /,
    ],
    ['DATABASE_URL', 'postgres://localhost/docket?sslmode=require&sslmode=allow', /may have an sslmode of/],
    ['CORS_ORIGINS', '*', corsOrigin],
    ['CORS_ORIGINS', 'null', corsOrigin],
    ['CORS_ORIGINS', 'https://*.app.test', corsOrigin],
    ['CORS_ORIGINS', 'https://app.test/', corsOrigin],
    ['CORS_ORIGINS', 'https://app.test/path', corsOrigin],
    ['CORS_ORIGINS', 'https://app.test:443', corsOrigin],
    ['CORS_ORIGINS', 'https://App.test', corsOrigin],
    ['CORS_ORIGINS', 'app.test', corsOrigin],
    ['CORS_ORIGINS', 'https://u@app.test', corsOrigin],
    ['CORS_ORIGINS', 'file://', corsOrigin],
    ['LOG_LEVEL', 'verbose', /must be one of fatal, error, warn, info, debug, trace, silent/],
  ])('%s=%j is refused with what to do', (name, value, wrong) => {
    const line = faults({ [name]: value }).find((fault) => fault.startsWith(`${name} `))
    expect(line).toMatch(wrong)
    expect(line).toMatch(/\. Meaning: .+\. Example: [A-Z_]+=\S/)
  })

  test.each([
    ['HOST', 'localhost'],
    ['HOST', '::'],
    ['PORT', '0'],
    ['DATABASE_URL', 'postgres://db/docket'],
    ['DATABASE_URL', 'postgresql://u:p%23w@ep-x-pooler.eu-central-1.neon.test:6543/docket?sslmode=require'],
    ['BETTER_AUTH_URL', 'http://localhost:3000'],
    ['BETTER_AUTH_URL', 'http://docket.localhost'],
    ['BETTER_AUTH_URL', 'http://127.1.2.3:3000'],
    ['BETTER_AUTH_URL', 'http://[::1]:3000/'],
    ['RATE_LIMIT', '0'],
    ['TRUSTED_PROXIES', '10.0.0.7, 10.0.0.0/8,::1,fd00::/8'],
    ['CORS_ORIGINS', 'https://app.test,http://localhost:3000,http://[::1]:3000,capacitor://localhost'],
    ['LOG_LEVEL', 'silent'],
  ])('%s=%j is accepted', (name, value) => {
    expect(() => loadConfig({ [name]: value })).not.toThrow()
  })

  test('a shared secret is measured in bytes, not characters', () => {
    const rest = { AUTH_JWT_ISSUER: 'login', AUTH_AUDIENCE: 'api' }
    expect(() => loadConfig({ ...rest, AUTH_JWT_SECRET: 'ü'.repeat(16) })).not.toThrow()
    expect(faultyVariables({ ...rest, AUTH_JWT_SECRET: 'ü'.repeat(15) })).toEqual(['AUTH_JWT_SECRET'])
  })
})
