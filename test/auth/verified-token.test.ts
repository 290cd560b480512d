import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { refusal, refusalAdvice } from '../../src/auth/refusal.ts'
import {
  byKeySet,
  bySecret,
  flipUnusedBits,
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

describe('a verified token', () => {
  test('is answered at once the next time, without a promise and with the same frozen principal', async () => {
    const value = `Bearer ${await check.issuer.token()}`
    const first = check.authenticate([value])
    expect(first).toBeInstanceOf(Promise)
    const again = check.authenticate([value])
    expect(again).toBeInstanceOf(Promise)
    const principal = await first
    await again
    expect(check.authenticate([value])).toBe(check.authenticate([value]))
    expect(check.authenticate([value])).toEqual(principal)
    expect(Object.isFrozen(principal)).toBe(true)
  })

  test('dies in the cache at exp and the leeway, to the millisecond', async () => {
    const value = `Bearer ${await check.issuer.token()}`
    await check.authenticate([value])
    check.setClock((seconds + 905) * 1000 - 1)
    await check.authenticate([value])
    expect(check.authenticate([value])).not.toBeInstanceOf(Promise)
    check.setClock((seconds + 905) * 1000)
    expect(await check.outcome(value)).toMatchObject({ code: 'token_expired' })
  })

  test('dies in the cache when its key leaves the key set', async () => {
    await using leaving = await startTokenIssuer({ now: check.now })
    check.use([byKeySet(leaving)])
    const value = `Bearer ${await leaving.token()}`
    await check.authenticate([value])
    leaving.rotate({ keepOld: false })
    expect(check.authenticate([value])).not.toBeInstanceOf(Promise)
    check.setClock((seconds + 360) * 1000)
    expect(await check.outcome(value)).toEqual(invalid('key_unknown'))
    expect(await check.bearer(await leaving.token())).toHaveProperty('principal')
  })

  test('dies in the cache when another key takes the name of its key', async () => {
    await using reusing = await startTokenIssuer({ now: check.now })
    check.use([byKeySet(reusing)])
    const value = `Bearer ${await reusing.token()}`
    await check.authenticate([value])
    reusing.rotate({ reuseKid: true })
    expect(await check.bearer(await reusing.token())).toHaveProperty('principal')
    expect(await check.outcome(value)).toEqual(invalid('signature_wrong'))
  })

  test('does not vouch for any other spelling of itself', async () => {
    const token = await check.issuer.token()
    await check.bearer(token)
    expect(await check.bearer(flipUnusedBits(token))).toEqual(invalid('not_canonical'))
    expect(await check.bearer(`${token}=`)).toEqual(invalid('not_canonical'))
  })
})

describe('what a refusal notes for the log', () => {
  test('is the digest of the key id and the advice, and nothing of the token', async () => {
    const token = await check.issuer.token({ sub: 'private-subject', exp: 1 }, { kid: check.issuer.kid() })
    const { reason, note } = await check.refusalOf(token)
    expect(reason).toBe('expired')
    expect(note).toEqual({ kid: expect.stringMatching(/^[0-9a-f]{12}$/), advice: refusalAdvice.expired })
    const told = JSON.stringify(note)
    for (const piece of [...token.split('.'), check.issuer.kid(), 'private-subject', check.issuer.issuer])
      expect(told).not.toContain(piece)
    expect(check.takeLines()).toEqual([])
  })

  test('has advice for each of the nine failures that users of Better Auth meet, and for no other', () => {
    expect(Object.keys(refusalAdvice)).toHaveLength(9)
    expect(refusal('not_a_jwt').note?.advice).toContain('/api/auth/token')
    expect(refusal('subject_malformed').note?.advice).toBeUndefined()
  })
})

describe('the set-up', () => {
  test('refuses two sources for one issuer', () => {
    const twice = { ...bySecret, secret: randomBytes(32) }
    expect(() => check.use([bySecret, twice])).toThrow('one key source only')
  })

  test('refuses a secret that is shorter than its hash', () => {
    const short = { ...bySecret, secret: randomBytes(31) }
    expect(() => check.use([short])).toThrow('32 bytes')
  })

  test('takes another horizon and leeway', async () => {
    check.use([bySecret], { horizonSeconds: 60, leewaySeconds: 0 })
    expect(await check.bearer(hs256({ exp: seconds + 60 }))).toHaveProperty('principal')
    expect(await check.bearer(hs256({ exp: seconds + 61 }))).toEqual(invalid('expiry_too_far'))
    expect(await check.bearer(hs256({ exp: seconds }))).toMatchObject({ code: 'token_expired' })
  })
})
