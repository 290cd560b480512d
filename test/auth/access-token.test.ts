import { createHmac, randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AccessTokens, createAccessTokens, type KeySource } from '../../src/auth/access-token.ts'
import { checkClaims } from '../../src/auth/claims.ts'
import { remoteKeys } from '../../src/auth/key-set.ts'
import { adviceFor, refusalAdvice } from '../../src/auth/refusal.ts'
import { AppError } from '../../src/errors.ts'
import { startTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts'

const start = Date.UTC(2026, 10, 20)
const seconds = start / 1000
let clock = start
const now = () => clock
let lines: string[] = []
const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })

let issuer: TokenIssuer
let tokens: AccessTokens
const secret = randomBytes(32)
const secretIssuer = 'https://secret.example'
const audience = 'https://api.example'

beforeAll(async () => {
  issuer = await startTokenIssuer({ now })
})
afterAll(() => issuer.close())
beforeEach(() => {
  clock = start
  lines = []
  tokens = createAccessTokens({ sources: [keySet(issuer), bySecret], log, now })
  return () => tokens.close()
})

function keySet({ issuer: one, audience: aud, url }: TokenIssuer): KeySource {
  return {
    kind: 'key-set',
    issuers: [one],
    audiences: [aud, audience],
    fetchKeys: remoteKeys(url),
    label: url,
  }
}
const bySecret: KeySource = { kind: 'secret', issuers: [secretIssuer], audiences: [audience], secret }

function hs256(claims: object = {}, header: object = {}, key: Uint8Array | string = secret): string {
  const all = { iss: secretIssuer, aud: audience, sub: 'ann', exp: seconds + 900, ...claims }
  const signed = [{ alg: 'HS256', typ: 'JWT', ...header }, all]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

/** How the check ends for these header values: with a principal, or with what the caller and the log are told. */
async function outcome(...values: string[]) {
  try {
    return { principal: await tokens.authenticate(values) }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { code: error.code, reason: error.reason, detail: error.detail }
  }
}
const bearer = (token: string) => outcome(`Bearer ${token}`)
const invalid = (reason: string) => ({
  code: 'invalid_token',
  reason,
  detail: 'The token was not accepted; sign in again to get another one.',
})
const part = (value: string | Uint8Array) => Buffer.from(value).toString('base64url')

describe('a token is accepted', () => {
  test.each(['EdDSA', 'ES256', 'ES512', 'PS256', 'RS256'] as const)('signed with %s', async (algorithm) => {
    await using other = await startTokenIssuer({ algorithm, now })
    tokens = createAccessTokens({ sources: [keySet(other)], log, now })
    const principal = { id: 'ann', issuer: other.issuer, expiresAt: seconds + 900 }
    expect(await bearer(await other.token({ sub: 'ann' }))).toEqual({ principal })
  })

  test('signed with the shared secret, with or without a key id, beside a key set', async () => {
    const principal = { id: 'ann', issuer: secretIssuer, expiresAt: seconds + 900 }
    expect(await bearer(hs256())).toEqual({ principal })
    expect(await bearer(hs256({}, { kid: 'any' }))).toEqual({ principal })
    expect(await bearer(await issuer.token({ sub: 'ann' }))).toMatchObject({ principal: { id: 'ann' } })
  })

  test.each([
    ['typ JWT', {}, { typ: 'JWT' }],
    ['an array of audiences, one of them ours', { aud: ['https://other.example', audience] }, {}],
    ['no iat, which is not required', { iat: undefined }, {}],
    ['a fraction of a second in exp', { exp: seconds + 0.5 }, {}],
    ['exp at the horizon', { exp: seconds + 7 * 86_400 }, {}],
    ['nbf and iat ahead by the leeway', { nbf: seconds + 5, iat: seconds + 5 }, {}],
    ['exp behind by less than the leeway', { exp: seconds - 4 }, {}],
    ['a subject of 255 characters outside ASCII', { sub: '𝄞'.repeat(255) }, {}],
    ['a subject of one character', { sub: '1' }, {}],
  ])('with %s', async (_, claims, header) => {
    expect(await bearer(await issuer.token(claims, header))).toHaveProperty('principal.issuer')
  })

  test('whatever the letter case of the scheme and the spaces after it', async () => {
    const token = await issuer.token()
    expect(await outcome(`bEARER   ${token}`)).toHaveProperty('principal')
  })

  test('exactly at the limit of 8 kB, and not one character above', async () => {
    const padded = async (n: number) => issuer.token({ padding: 'x'.repeat(n) })
    let n = 5_000
    while ((await padded(n)).length < 8192) n += 1
    const sizes = [await padded(n - 1), await padded(n)]
    expect(sizes.map((token) => token.length <= 8192)).toContain(true)
    for (const token of sizes)
      expect(await bearer(token)).toEqual(
        token.length <= 8192 ? { principal: expect.anything() } : invalid('too_long'),
      )
    expect(await bearer('x'.repeat(8193))).toEqual(invalid('too_long'))
    expect(await bearer('x'.repeat(8192))).toEqual(invalid('not_a_jwt'))
  })
})

describe('the Authorization header', () => {
  const unauthenticated = (reason: string) => ({
    code: 'unauthenticated',
    reason,
    detail: expect.stringContaining('Bearer'),
  })

  test('missing, of another scheme or without a token asks for a sign-in', async () => {
    expect(await outcome()).toEqual(unauthenticated('no_authorization'))
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
      expect(await outcome(value), value).toEqual(unauthenticated('not_bearer'))
  })

  test('sent twice is refused, also when both are good or equal', async () => {
    const good = `Bearer ${await issuer.token()}`
    const refused = { code: 'malformed_request', reason: 'two_authorization_headers' }
    for (const values of [
      [good, good],
      [good, 'Basic YTpi'],
      ['', good],
      [good, good, good],
    ])
      expect(await outcome(...values)).toMatchObject(refused)
    expect(await outcome(`${good}, ${good}`)).toMatchObject({ code: 'invalid_token' })
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
    expect(await bearer(change(await issuer.token()))).toEqual(invalid(reason))
  })

  const claims = () => ({ iss: issuer.issuer, aud: audience, sub: 'ann', exp: seconds + 900 })
  test.each([
    ['no JSON', '{'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a string', '"{}"'],
    ['invalid UTF-8', Buffer.from('{"alg":"EdDSA","x":"\xff"}', 'latin1')],
    ['a byte-order mark', '\ufeff{"alg":"EdDSA"}'],
  ])('for a header or a payload that is no JSON object: %s', async (_, text) => {
    const header = JSON.stringify({ alg: 'EdDSA', kid: issuer.kid() })
    expect(await bearer(issuer.tokenOf(text, JSON.stringify(claims())))).toEqual(invalid('header_unreadable'))
    expect(await bearer(issuer.tokenOf(header, text))).toEqual(invalid('payload_unreadable'))
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
    expect(await bearer(await issuer.token({}, { [name]: value }))).toEqual(
      invalid('header_member_forbidden'),
    )
  })

  test.each(['at+jwt', 'better-auth.session-cache+jwt', 'jwt', '', null, 1])(
    'for typ %j, though well signed',
    async (typ) => {
      expect(await bearer(await issuer.token({}, { typ }))).toEqual(invalid('type_not_jwt'))
    },
  )

  test.each(['none', 'None', 'HS256', 'HS512', 'ES256K', 'eddsa', 'Ed25519', '', null, ['EdDSA'], undefined])(
    'for alg %j at a key set',
    async (alg) => {
      expect(await bearer(await issuer.token({}, { alg }))).toEqual(invalid('algorithm_not_allowed'))
    },
  )

  test('for an algorithm of the key set that this key is not made for', async () => {
    expect(await bearer(await issuer.token({}, { alg: 'RS256' }))).toEqual(invalid('key_unknown'))
  })

  test('for key confusion, both ways', async () => {
    const jwks = await (await fetch(issuer.url)).text()
    const publicKey = Buffer.from(JSON.parse(jwks).keys[0].x, 'base64url')
    const iss = issuer.issuer
    expect(await bearer(hs256({ iss }, { kid: issuer.kid() }, publicKey))).toEqual(
      invalid('algorithm_not_allowed'),
    )
    expect(await bearer(await issuer.token({ iss: secretIssuer }))).toEqual(invalid('algorithm_not_allowed'))
    expect(await bearer(await issuer.token({ iss: secretIssuer }, { alg: 'HS256' }))).toEqual(
      invalid('signature_wrong'),
    )
  })

  test.each([undefined, null, '', 7, 'x'.repeat(129), 'a\nb', 'é', ['k']])(
    'for the key id %j',
    async (kid) => {
      expect(await bearer(await issuer.token({}, { kid }))).toEqual(invalid('key_id_malformed'))
    },
  )

  test('for a malformed key id beside a shared secret', async () => {
    expect(await bearer(hs256({}, { kid: '' }))).toEqual(invalid('key_id_malformed'))
  })

  test('for an unknown key id', async () => {
    expect(await bearer(await issuer.token({}, { kid: 'other' }))).toEqual(invalid('key_unknown'))
  })

  test('for a signature by another key, over other text, or of the wrong length', async () => {
    await using stranger = await startTokenIssuer({ now })
    const forged = await stranger.token({ iss: issuer.issuer }, { kid: issuer.kid() })
    const [header, , signature] = (await issuer.token({ sub: 'ann' })).split('.')
    const [, payload] = (await issuer.token({ sub: 'bob' })).split('.')
    for (const token of [forged, `${header}.${payload}.${signature}`, `${header}.${payload}.AAAA`])
      expect(await bearer(token)).toEqual(invalid('signature_wrong'))
    expect(await bearer(hs256({}, {}, randomBytes(32)))).toEqual(invalid('signature_wrong'))
  })

  test.each(['iss', 'aud', 'sub', 'exp'])('without the claim %s', async (name) => {
    expect(await bearer(await issuer.token({ [name]: undefined }))).toEqual(invalid('claim_missing'))
    expect(await bearer(hs256({ [name]: undefined }))).toEqual(invalid('claim_missing'))
  })

  test.each([
    ['issuer_unknown', () => 'https://evil.example'],
    ['issuer_unknown', () => ''],
    ['issuer_unknown', () => 'mailto:x'],
    ['issuer_unknown', () => null],
    ['issuer_unknown', () => [issuer.issuer]],
    ['issuer_differs', () => `${issuer.issuer}/`],
    ['issuer_differs', () => `${issuer.issuer}/api/auth`],
    ['issuer_differs', () => issuer.issuer.replace('http:', 'https:')],
  ])('as %s for its issuer', async (reason, iss) => {
    expect(await bearer(await issuer.token({ iss: iss() }))).toEqual(invalid(reason))
  })

  test('for an issuer that another source speaks for, whoever of the two signed', async () => {
    await using other = await startTokenIssuer({ now })
    tokens = createAccessTokens({ sources: [keySet(issuer), keySet(other)], log, now })
    expect(await bearer(await issuer.token({ iss: other.issuer, aud: audience }))).toEqual(
      invalid('key_unknown'),
    )
    expect(await bearer(await other.token({ iss: issuer.issuer, aud: audience }))).toEqual(
      invalid('key_unknown'),
    )
    for (const one of [issuer, other]) expect(await bearer(await one.token())).toHaveProperty('principal')
  })

  test('for an issuer of another name, where names are no URLs', async () => {
    tokens = createAccessTokens({ sources: [{ ...bySecret, issuers: ['one'] }], log, now })
    expect(await bearer(hs256({ iss: 'one' }))).toHaveProperty('principal')
    expect(await bearer(hs256({ iss: 'two' }))).toEqual(invalid('issuer_unknown'))
  })

  test('for its issuer a second time once the signature is good', () => {
    const policy = { audiences: [audience], nowSeconds: seconds, leewaySeconds: 5, horizonSeconds: 3600 }
    const check = (iss: unknown) => checkClaims({ ...claims(), iss }, { ...policy, issuers: [issuer.issuer] })
    expect(check(issuer.issuer)).toMatchObject({ issuer: issuer.issuer })
    for (const iss of ['https://evil.example', 7, [issuer.issuer]])
      expect(() => check(iss)).toThrow(expect.objectContaining({ reason: 'issuer_unknown' }))
  })

  test.each([
    ['audience_not_ours', 'https://other.example'],
    ['audience_not_ours', ''],
    ['audience_not_ours', []],
    ['audience_not_ours', `${audience}/`],
    ['audience_malformed', 7],
    ['audience_malformed', null],
    ['audience_malformed', [audience, 7]],
    ['audience_malformed', [[audience]]],
    ['audience_malformed', { 0: audience }],
  ])('as %s for the audience %j', async (reason, aud) => {
    expect(await bearer(await issuer.token({ aud }))).toEqual(invalid(reason))
  })

  test.each([
    ['exp', '"9999999999"'],
    ['exp', '1e999'],
    ['exp', '-1e999'],
    ['exp', 'null'],
    ['exp', '[1]'],
    ['nbf', '"0"'],
    ['nbf', '-1e999'],
    ['nbf', 'null'],
    ['iat', 'true'],
    ['iat', '-1e999'],
  ])('for a time that is no finite number: "%s": %s', async (name, text) => {
    const header = JSON.stringify({ alg: 'EdDSA', kid: issuer.kid() })
    const payload = `${JSON.stringify(claims()).slice(0, -1)},"${name}":${text}}`
    expect(await bearer(issuer.tokenOf(header, payload))).toEqual(invalid('time_malformed'))
  })

  test.each([
    ['expiry_too_far', { exp: seconds + 7 * 86_400 + 6 }],
    ['expiry_too_far', { exp: Number.MAX_VALUE }],
    ['not_yet_valid', { nbf: seconds + 6 }],
    ['issued_in_future', { iat: seconds + 6 }],
  ])('as %s', async (reason, changed) => {
    expect(await bearer(await issuer.token(changed))).toEqual(invalid(reason))
  })

  test.each([
    '',
    null,
    7,
    ['ann'],
    { id: 'ann' },
    'a\u0000b',
    'a\nb',
    'a\u200db',
    'a\u2028b',
    'a\u202eb',
    '\ud800',
    'x'.repeat(256),
    '𝄞'.repeat(256),
  ])('for the subject %j', async (sub) => {
    expect(await bearer(await issuer.token({ sub }))).toEqual(invalid('subject_malformed'))
  })
})

describe('an expired token', () => {
  test('is told so, with what to do, only when everything before its age is right', async () => {
    const expired = { exp: seconds - 5 }
    expect(await bearer(await issuer.token(expired))).toEqual({
      code: 'token_expired',
      reason: 'expired',
      detail: expect.stringContaining('get a fresh one'),
    })
    expect(await bearer(hs256(expired))).toMatchObject({ code: 'token_expired' })
    expect(await bearer(hs256(expired, {}, randomBytes(32)))).toEqual(invalid('signature_wrong'))
    const foreign = await issuer.token({ ...expired, aud: 'https://other.example' })
    expect(await bearer(foreign)).toEqual(invalid('audience_not_ours'))
  })
})

describe('a verified token', () => {
  test('is answered at once the next time, without a promise and with the same frozen principal', async () => {
    const value = `Bearer ${await issuer.token()}`
    const first = tokens.authenticate([value])
    expect(first).toBeInstanceOf(Promise)
    const again = tokens.authenticate([value])
    expect(again).toBeInstanceOf(Promise)
    const principal = await first
    await again
    expect(tokens.authenticate([value])).toBe(tokens.authenticate([value]))
    expect(tokens.authenticate([value])).toEqual(principal)
    expect(Object.isFrozen(principal)).toBe(true)
  })

  test('dies in the cache at exp and the leeway, to the millisecond', async () => {
    const value = `Bearer ${await issuer.token()}`
    await tokens.authenticate([value])
    clock = (seconds + 905) * 1000 - 1
    await tokens.authenticate([value])
    expect(tokens.authenticate([value])).not.toBeInstanceOf(Promise)
    clock += 1
    expect(await outcome(value)).toMatchObject({ code: 'token_expired' })
  })

  test('dies in the cache when its key leaves the key set', async () => {
    await using leaving = await startTokenIssuer({ now })
    tokens = createAccessTokens({ sources: [keySet(leaving)], log, now })
    const value = `Bearer ${await leaving.token()}`
    await tokens.authenticate([value])
    leaving.rotate({ keepOld: false })
    expect(tokens.authenticate([value])).not.toBeInstanceOf(Promise)
    clock += 6 * 60_000
    expect(await outcome(value)).toEqual(invalid('key_unknown'))
    expect(await bearer(await leaving.token())).toHaveProperty('principal')
  })

  test('dies in the cache when another key takes the name of its key', async () => {
    await using reusing = await startTokenIssuer({ now })
    tokens = createAccessTokens({ sources: [keySet(reusing)], log, now })
    const value = `Bearer ${await reusing.token()}`
    await tokens.authenticate([value])
    reusing.rotate({ reuseKid: true })
    expect(await bearer(await reusing.token())).toHaveProperty('principal')
    expect(await outcome(value)).toEqual(invalid('signature_wrong'))
  })

  test('does not vouch for any other spelling of itself', async () => {
    const token = await issuer.token()
    await bearer(token)
    expect(await bearer(flipUnusedBits(token))).toEqual(invalid('not_canonical'))
    expect(await bearer(`${token}=`)).toEqual(invalid('not_canonical'))
  })
})

describe('the log of refusals', () => {
  test('has one line each, with the reason and the hash of the key id, and nothing of the token', async () => {
    await bearer(await issuer.token())
    lines = []
    const token = await issuer.token({ sub: 'private-subject', exp: 1 }, { kid: issuer.kid() })
    await bearer(token)
    expect(lines).toHaveLength(1)
    const [line = ''] = lines
    expect(JSON.parse(line)).toMatchObject({
      level: 30,
      reason: 'expired',
      kid: expect.stringMatching(/^[0-9a-f]{12}$/),
      advice: refusalAdvice.expired,
      msg: 'access token refused',
    })
    for (const piece of [...token.split('.'), issuer.kid(), 'private-subject', issuer.issuer])
      expect(line).not.toContain(piece)
  })

  test('has a line for a missing token and for a doubled header too', async () => {
    await outcome()
    await outcome('Bearer a', 'Bearer b')
    const reasons = lines.map((line) => JSON.parse(line).reason)
    expect(reasons).toEqual(['no_authorization', 'two_authorization_headers'])
  })

  test('says what to do about each of the eight failures that users of Better Auth meet', () => {
    expect(Object.keys(refusalAdvice)).toHaveLength(8)
    expect(adviceFor('not_a_jwt')).toContain('/api/auth/token')
    expect(adviceFor('subject_malformed')).toBeUndefined()
  })
})

describe('the set-up', () => {
  test('refuses two sources for one issuer', () => {
    const twice = { ...bySecret, secret: randomBytes(32) }
    expect(() => createAccessTokens({ sources: [bySecret, twice], log })).toThrow('one key source only')
  })

  test('refuses a secret that is shorter than its hash', () => {
    const short = { ...bySecret, secret: randomBytes(31) }
    expect(() => createAccessTokens({ sources: [short], log })).toThrow('32 bytes')
  })

  test('takes another horizon and leeway', async () => {
    tokens = createAccessTokens({ sources: [bySecret], log, now, horizonSeconds: 60, leewaySeconds: 0 })
    expect(await bearer(hs256({ exp: seconds + 60 }))).toHaveProperty('principal')
    expect(await bearer(hs256({ exp: seconds + 61 }))).toEqual(invalid('expiry_too_far'))
    expect(await bearer(hs256({ exp: seconds }))).toMatchObject({ code: 'token_expired' })
  })
})

/** Another text that decodes to the same bytes. The signature of Ed25519 is 64 bytes: four bits of its last character are unused. */
function flipUnusedBits(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.slice(-1))
  return token.slice(0, -1) + alphabet.charAt(last ^ 1)
}
