import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { checkClaims } from '../../src/auth/claims.ts'
import {
  audience,
  byKeySet,
  bySecret,
  hs256,
  invalid,
  openTokenCheck,
  seconds,
  type TokenCheck,
} from '../support/token-check.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'

let check: TokenCheck
beforeEach(async () => {
  check = await openTokenCheck()
  return () => check.close()
})

const claims = () => ({ iss: check.issuer.issuer, aud: audience, sub: 'ann', exp: seconds + 900 })

describe('a token is refused', () => {
  test.each(['iss', 'aud', 'sub', 'exp'])('without the claim %s', async (name) => {
    expect(await check.bearer(await check.issuer.token({ [name]: undefined }))).toEqual(
      invalid('claim_missing'),
    )
    expect(await check.bearer(hs256({ [name]: undefined }))).toEqual(invalid('claim_missing'))
  })

  test.each([
    ['issuer_unknown', () => 'https://evil.example'],
    ['issuer_unknown', () => ''],
    ['issuer_unknown', () => 'mailto:x'],
    ['issuer_unknown', () => null],
    ['issuer_unknown', () => [check.issuer.issuer]],
    ['issuer_differs', () => `${check.issuer.issuer}/`],
    ['issuer_differs', () => `${check.issuer.issuer}/api/auth`],
    ['issuer_differs', () => check.issuer.issuer.replace('http:', 'https:')],
  ])('as %s for its issuer', async (reason, iss) => {
    expect(await check.bearer(await check.issuer.token({ iss: iss() }))).toEqual(invalid(reason))
  })

  test('for an issuer that another source speaks for, whoever of the two signed', async () => {
    await using other = await startTokenIssuer({ now: check.now })
    check.use([byKeySet(check.issuer), byKeySet(other)])
    expect(await check.bearer(await check.issuer.token({ iss: other.issuer, aud: audience }))).toEqual(
      invalid('key_unknown'),
    )
    expect(await check.bearer(await other.token({ iss: check.issuer.issuer, aud: audience }))).toEqual(
      invalid('key_unknown'),
    )
    for (const one of [check.issuer, other])
      expect(await check.bearer(await one.token())).toHaveProperty('principal')
  })

  test('for an issuer of another name, where names are no URLs', async () => {
    check.use([{ ...bySecret, issuers: ['one'] }])
    expect(await check.bearer(hs256({ iss: 'one' }))).toHaveProperty('principal')
    expect(await check.bearer(hs256({ iss: 'two' }))).toEqual(invalid('issuer_unknown'))
  })

  test('for its issuer a second time once the signature is good', () => {
    const policy = { audiences: [audience], nowSeconds: seconds, leewaySeconds: 5, horizonSeconds: 3600 }
    const recheck = (iss: unknown) =>
      checkClaims({ ...claims(), iss }, { ...policy, issuers: [check.issuer.issuer] })
    expect(recheck(check.issuer.issuer)).toMatchObject({ issuer: check.issuer.issuer })
    for (const iss of ['https://evil.example', 7, [check.issuer.issuer]])
      expect(() => recheck(iss)).toThrow(expect.objectContaining({ reason: 'issuer_unknown' }))
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
    expect(await check.bearer(await check.issuer.token({ aud }))).toEqual(invalid(reason))
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
    const header = JSON.stringify({ alg: 'EdDSA', kid: check.issuer.kid() })
    const payload = `${JSON.stringify(claims()).slice(0, -1)},"${name}":${text}}`
    expect(await check.bearer(check.issuer.tokenOf(header, payload))).toEqual(invalid('time_malformed'))
  })

  test.each([
    ['expiry_too_far', { exp: seconds + 7 * 86_400 + 6 }],
    ['expiry_too_far', { exp: Number.MAX_VALUE }],
    ['not_yet_valid', { nbf: seconds + 6 }],
    ['issued_in_future', { iat: seconds + 6 }],
  ])('as %s', async (reason, changed) => {
    expect(await check.bearer(await check.issuer.token(changed))).toEqual(invalid(reason))
  })

  test.each([
    '',
    ' ',
    '   ',
    '\u00a0\u2003\u3000',
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
    expect(await check.bearer(await check.issuer.token({ sub }))).toEqual(invalid('subject_malformed'))
  })
})

describe('an expired token', () => {
  test('is told so, with what to do, only when everything before its age is right', async () => {
    const expired = { exp: seconds - 5 }
    expect(await check.bearer(await check.issuer.token(expired))).toEqual({
      code: 'token_expired',
      reason: 'expired',
      detail: expect.stringContaining('get a fresh one'),
    })
    expect(await check.bearer(hs256(expired))).toMatchObject({ code: 'token_expired' })
    expect(await check.bearer(hs256(expired, {}, randomBytes(32)))).toEqual(invalid('signature_wrong'))
    const foreign = await check.issuer.token({ ...expired, aud: 'https://other.example' })
    expect(await check.bearer(foreign)).toEqual(invalid('audience_not_ours'))
  })
})
