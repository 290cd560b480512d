import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { checksPerSecond, createSignatureBudget } from '../../src/auth/signature-budget.ts'
import {
  byKeySet,
  flipUnusedBits,
  hs256,
  invalid,
  openTokenCheck,
  seconds,
  type TokenCheck,
} from '../support/token-check.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'

describe('the budget', () => {
  let clock = 0
  const taken = (budget = createSignatureBudget(() => clock)) => {
    let count = 0
    while (budget.take()) count++
    return count
  }

  test('is one second of checks, and fills again with time', () => {
    const budget = createSignatureBudget(() => clock)
    expect(taken(budget)).toBe(checksPerSecond)
    clock += 100
    expect(taken(budget)).toBe(checksPerSecond / 10)
    clock += 3
    expect(taken(budget)).toBe(0)
    clock += 97
    expect(taken(budget)).toBe(checksPerSecond / 10)
  })

  test('never holds more than that, however long nobody took any', () => {
    const budget = createSignatureBudget(() => clock)
    clock += 3_600_000
    expect(taken(budget)).toBe(checksPerSecond)
  })

  test('is not filled by a clock that is set back, and goes on from there', () => {
    const budget = createSignatureBudget(() => clock)
    taken(budget)
    clock -= 3_600_000
    expect(taken(budget)).toBe(0)
    clock += 1_000
    expect(taken(budget)).toBe(checksPerSecond)
  })
})

describe('a caller beyond the limit', () => {
  let check: TokenCheck
  let serial = 0
  beforeEach(async () => {
    check = await openTokenCheck()
    return () => check.close()
  })
  /** A good token that was not seen before. HS256, because its checks are quick. */
  const good = () => hs256({ sub: `caller-${++serial}` })
  const wronglySigned = () => hs256({ sub: `caller-${++serial}` }, {}, randomBytes(32))
  const usedUp = { code: 'rate_limited', reason: 'checks_used_up' }
  /** How many checks are left, by using them up. */
  const checksLeft = async (next: () => Promise<string> | string = good) => {
    let count = 0
    while ('principal' in (await check.limited(await next()))) count++
    return count
  }

  test('gets in with a good token as long as there are checks left, and not after', async () => {
    for (let i = 0; i < checksPerSecond; i++) expect(await check.limited(good())).toHaveProperty('principal')
    expect(await check.limited(good())).toMatchObject(usedUp)
    check.setClock(seconds * 1000 + 1_000 / checksPerSecond)
    expect(await check.limited(good())).toHaveProperty('principal')
    expect(await check.limited(good())).toMatchObject(usedUp)
  })

  test('uses up checks with wrong signatures, which bounds them', async () => {
    for (let i = 0; i < checksPerSecond; i++)
      expect(await check.limited(wronglySigned())).toEqual(invalid('signature_wrong'))
    for (let i = 0; i < 3; i++) expect(await check.limited(wronglySigned())).toMatchObject(usedUp)
  })

  test('with a token that was seen before needs no check', async () => {
    const seen = good()
    await check.bearer(seen)
    await checksLeft()
    expect(await check.limited(seen)).toHaveProperty('principal')
  })

  test('costs no check with a token that has no chance', async () => {
    const { issuer } = check
    const bad = [
      'a.b.c',
      'no-token',
      flipUnusedBits(await issuer.token()),
      await issuer.token({ iss: 'https://elsewhere.example' }),
      await issuer.token({ iss: undefined }),
      await issuer.token({}, { alg: 'HS256' }),
      await issuer.token({}, { kid: 'unknown' }),
      await issuer.token({}, { kid: undefined }),
      await issuer.token({}, { crit: ['exp'] }),
    ]
    for (const token of [...bad, ...bad, ...bad])
      expect(await check.limited(token)).toMatchObject({ code: 'invalid_token' })
    expect(await checksLeft()).toBe(checksPerSecond)
  })

  test('takes from the same budget as everybody, and empties it for nobody within their limit', async () => {
    for (let i = 0; i < 10; i++) await check.bearer(good())
    expect(await checksLeft()).toBe(checksPerSecond - 10)
    expect(await check.bearer(good())).toHaveProperty('principal')
    expect(await check.bearer(wronglySigned())).toEqual(invalid('signature_wrong'))
  })

  test('pays for the second check that a new key of the same name takes', async () => {
    await using reusing = await startTokenIssuer({ now: check.now })
    check.use([byKeySet(reusing)])
    await check.bearer(await reusing.token())
    reusing.rotate({ reuseKid: true })
    expect(await check.limited(await reusing.token())).toHaveProperty('principal')
    expect(await checksLeft(() => reusing.token())).toBe(checksPerSecond - 3)
  })
})
