import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  audience,
  byKeySet,
  flipUnusedBits,
  hs256,
  invalid,
  openTokenCheck,
  seconds,
  secretIssuer,
  type TokenCheck,
} from '../support/token-check.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'

let check: TokenCheck
beforeEach(async () => {
  check = await openTokenCheck()
  return () => check.close()
})

const part = (value: string | Uint8Array) => Buffer.from(value).toString('base64url')

describe('a token is accepted', () => {
  test.each(['EdDSA', 'ES256', 'ES512', 'PS256', 'RS256'] as const)('signed with %s', async (algorithm) => {
    await using other = await startTokenIssuer({ algorithm, now: check.now })
    check.use([byKeySet(other)])
    const principal = { id: 'ann', issuer: other.issuer, expiresAt: seconds + 900 }
    expect(await check.bearer(await other.token({ sub: 'ann' }))).toEqual({ principal })
  })

  test('signed with the shared secret, with or without a key id, beside a key set', async () => {
    const principal = { id: 'ann', issuer: secretIssuer, expiresAt: seconds + 900 }
    expect(await check.bearer(hs256())).toEqual({ principal })
    expect(await check.bearer(hs256({}, { kid: 'any' }))).toEqual({ principal })
    expect(await check.bearer(await check.issuer.token({ sub: 'ann' }))).toMatchObject({
      principal: { id: 'ann' },
    })
  })

  test.each([
    ['typ JWT', {}, { typ: 'JWT' }],
    ['typ jwt: media types have no letter case', {}, { typ: 'jwt' }],
    ['typ application/jwt, the same media type in full', {}, { typ: 'application/jwt' }],
    ['typ Application/JWT', {}, { typ: 'Application/JWT' }],
    ['an array of audiences, one of them ours', { aud: ['https://other.example', audience] }, {}],
    ['no iat, which is not required', { iat: undefined }, {}],
    ['a fraction of a second in exp', { exp: seconds + 0.5 }, {}],
    ['exp at the horizon', { exp: seconds + 7 * 86_400 }, {}],
    ['nbf and iat ahead by the leeway', { nbf: seconds + 5, iat: seconds + 5 }, {}],
    ['exp behind by less than the leeway', { exp: seconds - 4 }, {}],
    ['a subject of 255 characters outside ASCII', { sub: '𝄞'.repeat(255) }, {}],
    ['a subject of one character', { sub: '1' }, {}],
  ])('with %s', async (_, claims, header) => {
    expect(await check.bearer(await check.issuer.token(claims, header))).toHaveProperty('principal.issuer')
  })

  test('whatever the letter case of the scheme and the spaces after it', async () => {
    const token = await check.issuer.token()
    expect(await check.outcome(`bEARER   ${token}`)).toHaveProperty('principal')
  })

  test('exactly at the limit of 8 kB, and not one character above', async () => {
    const padded = async (n: number) => check.issuer.token({ padding: 'x'.repeat(n) })
    let n = 5_000
    while ((await padded(n)).length < 8192) n += 1
    const sizes = [await padded(n - 1), await padded(n)]
    expect(sizes.map((token) => token.length <= 8192)).toContain(true)
    for (const token of sizes)
      expect(await check.bearer(token)).toEqual(
        token.length <= 8192 ? { principal: expect.anything() } : invalid('too_long'),
      )
    expect(await check.bearer('x'.repeat(8193))).toEqual(invalid('too_long'))
    expect(await check.bearer('x'.repeat(8192))).toEqual(invalid('not_a_jwt'))
  })
})

describe('the Authorization header', () => {
  const unauthenticated = (reason: string) => ({
    code: 'unauthenticated',
    reason,
    detail: expect.stringContaining('Bearer'),
  })

  test('missing, of another scheme or without a token asks for a sign-in', async () => {
    expect(await check.outcome()).toEqual(unauthenticated('no_authorization'))
    for (const value of [
      '',
      'Bearer',
      'Bearer ',
      'Basic YTpi',
      'Bearerx',
      'Bearer\tx',
      ' Bearer x',
      'Token x',
    ])
      expect(await check.outcome(value), value).toEqual(unauthenticated('not_bearer'))
  })

  test('sent twice is refused, also when both are good or equal', async () => {
    const good = `Bearer ${await check.issuer.token()}`
    const refused = { code: 'malformed_request', reason: 'two_authorization_headers' }
    for (const values of [
      [good, good],
      [good, 'Basic YTpi'],
      ['', good],
      [good, good, good],
    ])
      expect(await check.outcome(...values)).toMatchObject(refused)
    expect(await check.outcome(`${good}, ${good}`)).toMatchObject({ code: 'invalid_token' })
  })
})

describe('a token is refused', () => {
  test.each([
    ['a session token', 'not_a_jwt', () => 'vUqJ4hXy0wZ1'],
    ['a session token with its signature', 'not_a_jwt', () => 'vUqJ4hXy0wZ1.c2lnbmF0dXJl'],
    ['two parts', 'not_a_jwt', (t: string) => t.split('.').slice(0, 2).join('.')],
    ['four parts', 'not_a_jwt', (t: string) => `${t}.${part('x')}`],
    ['five parts, an encrypted token', 'not_a_jwt', (t: string) => `${t}.eA.eA`],
    ['an empty signature', 'not_a_jwt', (t: string) => t.replace(/[^.]*$/, '')],
    ['an empty header', 'not_a_jwt', (t: string) => t.replace(/^[^.]*/, '')],
    ['padding', 'not_canonical', (t: string) => `${t}==`],
    ['the other base64 alphabet', 'not_canonical', (t: string) => t.replace(/[^.]*$/, (s) => `+/${s}`)],
    ['a space inside', 'not_canonical', (t: string) => t.replace('.', '. ')],
    ['a space behind', 'not_canonical', (t: string) => `${t} `],
    ['a line break', 'not_canonical', (t: string) => `${t}\n`],
    ['a second spelling by unused bits', 'not_canonical', (t: string) => flipUnusedBits(t)],
  ])('for its form: %s', async (_, reason, change) => {
    expect(await check.bearer(change(await check.issuer.token()))).toEqual(invalid(reason))
  })

  const claims = () => ({ iss: check.issuer.issuer, aud: audience, sub: 'ann', exp: seconds + 900 })
  test.each([
    ['no JSON', '{'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a string', '"{}"'],
    ['invalid UTF-8', Buffer.from('{"alg":"EdDSA","x":"\xff"}', 'latin1')],
    ['a byte-order mark', '\ufeff{"alg":"EdDSA"}'],
  ])('for a header or a payload that is no JSON object: %s', async (_, text) => {
    const header = JSON.stringify({ alg: 'EdDSA', kid: check.issuer.kid() })
    expect(await check.bearer(check.issuer.tokenOf(text, JSON.stringify(claims())))).toEqual(
      invalid('header_unreadable'),
    )
    expect(await check.bearer(check.issuer.tokenOf(header, text))).toEqual(invalid('payload_unreadable'))
  })

  test.each([
    ['crit', ['exp']],
    ['b64', false],
    ['jku', 'https://evil.example/jwks'],
    ['jwk', {}],
    ['x5u', 'https://evil.example/cert'],
    ['x5c', []],
    ['zip', 'DEF'],
    ['cty', 'JWT'],
    ['enc', null],
  ])('for the header member %s, though well signed', async (name, value) => {
    expect(await check.bearer(await check.issuer.token({}, { [name]: value }))).toEqual(
      invalid('header_member_forbidden'),
    )
  })

  test.each([
    ...[
      'at+jwt',
      'AT+JWT',
      'application/at+jwt',
      'better-auth.session-cache+jwt',
      'JWT ',
      'text/jwt',
      '/jwt',
    ],
    ...['application/', 'application//jwt', 'application/application/jwt', 'jwt/jwt', 'jwt\n', '', null, 1],
    ...[['JWT']],
  ])('for typ %j, though well signed', async (typ) => {
    expect(await check.bearer(await check.issuer.token({}, { typ }))).toEqual(invalid('type_not_jwt'))
  })

  test.each(['none', 'None', 'HS256', 'HS512', 'ES256K', 'eddsa', 'Ed25519', '', null, ['EdDSA'], undefined])(
    'for alg %j at a key set',
    async (alg) => {
      expect(await check.bearer(await check.issuer.token({}, { alg }))).toEqual(
        invalid('algorithm_not_allowed'),
      )
    },
  )

  test('for an algorithm of the key set that this key is not made for', async () => {
    expect(await check.bearer(await check.issuer.token({}, { alg: 'RS256' }))).toEqual(invalid('key_unknown'))
  })

  test('for key confusion, both ways', async () => {
    const jwks = await (await fetch(check.issuer.url)).text()
    const publicKey = Buffer.from(JSON.parse(jwks).keys[0].x, 'base64url')
    const iss = check.issuer.issuer
    expect(await check.bearer(hs256({ iss }, { kid: check.issuer.kid() }, publicKey))).toEqual(
      invalid('algorithm_not_allowed'),
    )
    expect(await check.bearer(await check.issuer.token({ iss: secretIssuer }))).toEqual(
      invalid('algorithm_not_allowed'),
    )
    expect(await check.bearer(await check.issuer.token({ iss: secretIssuer }, { alg: 'HS256' }))).toEqual(
      invalid('signature_wrong'),
    )
  })

  test.each([undefined, null, '', 7, 'x'.repeat(129), 'a\nb', 'é', ['k']])(
    'for the key id %j',
    async (kid) => {
      expect(await check.bearer(await check.issuer.token({}, { kid }))).toEqual(invalid('key_id_malformed'))
    },
  )

  test('for a malformed key id beside a shared secret', async () => {
    expect(await check.bearer(hs256({}, { kid: '' }))).toEqual(invalid('key_id_malformed'))
  })

  test('for an unknown key id', async () => {
    expect(await check.bearer(await check.issuer.token({}, { kid: 'other' }))).toEqual(invalid('key_unknown'))
  })

  test('for a signature by another key, over other text, or of the wrong length', async () => {
    await using stranger = await startTokenIssuer({ now: check.now })
    const forged = await stranger.token({ iss: check.issuer.issuer }, { kid: check.issuer.kid() })
    const [header, , signature] = (await check.issuer.token({ sub: 'ann' })).split('.')
    const [, payload] = (await check.issuer.token({ sub: 'bob' })).split('.')
    for (const token of [forged, `${header}.${payload}.${signature}`, `${header}.${payload}.AAAA`])
      expect(await check.bearer(token)).toEqual(invalid('signature_wrong'))
    expect(await check.bearer(hs256({}, {}, randomBytes(32)))).toEqual(invalid('signature_wrong'))
  })
})
