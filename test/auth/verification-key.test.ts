import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { loadKeys, remoteKeys } from '../../src/auth/keys/key-set.ts'
import { importKeys } from '../../src/auth/keys/verification-key.ts'
import { keySources } from '../../src/auth/sources.ts'
import { keySetUrl } from '../../src/config/values.ts'
import { loadConfig } from '../../src/config.ts'
import { answerJson, type KeySetCheck, openKeySetCheck, verdict } from '../support/key-endpoint.ts'

let check: KeySetCheck
beforeEach(async () => {
  check = await openKeySetCheck()
  return () => check.close()
})

const minute = 60_000

describe('the keys of a set', () => {
  const ed25519 = () => generateKeyPairSync('ed25519')
  const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).publicKey
  const rsaWith = (exponent: Buffer) => ({
    ...rsa(2048).export({ format: 'jwk' }),
    e: exponent.toString('base64url'),
    kid: 'k',
    alg: 'RS256',
  })
  const jwk = (extra: object = {}): JsonWebKey => ({
    ...ed25519().publicKey.export({ format: 'jwk' }),
    kid: 'k',
    alg: 'EdDSA',
    ...extra,
  })

  test.each<[string, string, () => unknown]>([
    ['that is none', 'not_an_object', () => 'k'],
    ['that is a shared secret', 'symmetric', () => ({ kty: 'oct', k: 'eA', kid: 'k', alg: 'HS256' })],
    ['that is private', 'private', () => ({ ...ed25519().privateKey.export({ format: 'jwk' }), kid: 'k' })],
    ['without a key id', 'key_id_malformed', () => jwk({ kid: undefined })],
    ['with an endless key id', 'key_id_malformed', () => jwk({ kid: 'x'.repeat(129) })],
    ['for encryption', 'not_for_signatures', () => jwk({ use: 'enc' })],
    ['for other operations', 'not_for_signatures', () => jwk({ key_ops: ['sign'] })],
    ['for HS256', 'algorithm_not_supported', () => jwk({ alg: 'HS256' })],
    ['for an algorithm of another kind of key', 'algorithm_not_supported', () => jwk({ alg: 'RS256' })],
    ['on a curve we do not know', 'algorithm_not_supported', () => jwk({ crv: 'X25519', alg: undefined })],
    ['of 1024 bits', 'rsa_size', () => ({ ...rsa(1024).export({ format: 'jwk' }), kid: 'k', alg: 'RS256' })],
    ...[0, 1, 2, 4, 65_536].map((e): [string, string, () => unknown] => [
      `of RSA with the exponent ${e}`,
      'rsa_exponent',
      () => rsaWith(Buffer.from([0, e >> 16, e >> 8, e])),
    ]),
    ['of RSA whose exponent is too long and even', 'rsa_exponent', () => rsaWith(Buffer.alloc(33, 2))],
    ['that is broken', 'unreadable', () => jwk({ x: 'AAAA' })],
  ])('leave out one %s (%s), and keep the rest', async (_, reason, bad) => {
    const { keys, ignored } = await importKeys([bad(), jwk({ kid: 'other' })])
    expect([...keys.keys()]).toEqual(['EdDSA other'])
    expect(ignored).toMatchObject([{ reason }])
  })

  test('leave out the second of two with the same name', async () => {
    const [first, second] = [jwk(), jwk()]
    const both = await importKeys([first, second])
    const one = await importKeys([first])
    expect(both.keys.get('EdDSA k')?.thumbprint).toBe(one.keys.get('EdDSA k')?.thumbprint)
    expect(both.ignored).toMatchObject([{ reason: 'duplicate' }])
  })

  test('are at most a hundred', async () => {
    const { keys, ignored } = await importKeys(Array.from({ length: 101 }, (_, n) => jwk({ kid: `${n}` })))
    expect(keys.size).toBe(100)
    expect(ignored).toEqual([{ reason: 'too_many_keys', kid: undefined }])
  })

  test('of RSA that name no algorithm serve both', async () => {
    const { keys } = await importKeys([{ ...rsa(2048).export({ format: 'jwk' }), kid: 'k' }])
    expect([...keys.keys()]).toEqual(['PS256 k', 'RS256 k'])
  })

  test.each([3, 17, 65_537])('of RSA may have the exponent %i', async (e) => {
    const { keys, ignored } = await importKeys([rsaWith(Buffer.from([e >> 16, e >> 8, e]))])
    expect([...keys.keys()]).toEqual(['RS256 k'])
    expect(ignored).toEqual([])
  })

  test('that were left out are named in the log once, not at every refresh', async () => {
    const set = await (await fetch(check.issuer.url)).text()
    const body = set.replace('[', `[${JSON.stringify({ kty: 'oct', k: 'c2VjcmV0', kid: 'shared' })},`)
    check.endpoint.answerWith((_, response) =>
      answerJson(response, body, 'application/jwk-set+json; charset=utf-8'),
    )
    const tokens = check.open()
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    check.advance(6 * minute)
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    expect(check.endpoint.requests()).toBe(2)
    const warnings = check.lines.filter(({ ignored }) => ignored)
    expect(warnings).toMatchObject([{ level: 40, source: 'the key set', ignored: [{ reason: 'symmetric' }] }])
    expect(JSON.stringify(check.lines)).not.toContain('c2VjcmV0')
  })
})

describe('the address of a key set', () => {
  test.each([
    'https://auth.example/jwks',
    'http://localhost:3000/jwks',
    'http://app.localhost:3000/jwks',
    'http://127.0.0.1/jwks',
    'http://127.9.9.9/jwks',
    'http://[::1]:3000/jwks',
  ])('may be %s, as a setting and where it is read', (url) => {
    expect(() => remoteKeys(keySetUrl.parse(url))).not.toThrow()
  })

  test('may be http: inside a network where that is allowed, from the setting to where it is read', () => {
    const allowed = { BETTER_AUTH_URL: 'http://app.internal:3000', AUTH_ALLOW_HTTP_KEYS: 'true' }
    const { config, secrets } = loadConfig(allowed)
    expect(keySources(config, secrets)).toMatchObject([{ issuers: ['http://app.internal:3000'] }])
    expect(() => remoteKeys('http://name:word@app.internal/jwks', { allowHttp: true })).toThrow(TypeError)
    expect(() => remoteKeys('file:///etc/hosts', { allowHttp: true })).toThrow(TypeError)
  })

  test.each([
    'http://auth.example/jwks',
    'http://127.0.0.1.example/jwks',
    'http://localhost.example/jwks',
    'http://notlocalhost/jwks',
    'http://10.0.0.1/jwks',
    'file:///etc/hosts',
    'data:application/json,{}',
    'https://name:word@auth.example/jwks',
    'jwks',
  ])('may not be %s', (url) => {
    expect(() => remoteKeys(url)).toThrow(TypeError)
    expect(keySetUrl.safeParse(url).success).toBe(false)
  })

  test('can be tried once, for the doctor, with a fault that says what to do', async () => {
    const { keys } = await loadKeys(remoteKeys(check.issuer.url))
    expect(keys.size).toBe(1)
    check.endpoint.answerWith((_, response) => response.writeHead(404).end())
    await expect(loadKeys(remoteKeys(check.endpoint.url))).rejects.toMatchObject({
      reason: 'not_found',
      message: expect.stringContaining('jwt plugin'),
    })
  })
})
