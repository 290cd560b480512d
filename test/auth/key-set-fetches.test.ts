import type { RequestListener } from 'node:http'
import { beforeEach, describe, expect, test } from 'vitest'
import type { AccessTokens } from '../../src/auth/access-token.ts'
import { type KeySetCheck, openKeySetCheck, verdict } from '../support/key-endpoint.ts'

let check: KeySetCheck
beforeEach(async () => {
  check = await openKeySetCheck()
  return () => check.close()
})

const minute = 60_000
const drop: RequestListener = (_, response) => response.destroy()
const unknownKey = 'invalid_token: key_unknown'
const notReadYet = 'unavailable: key_not_read_yet'

describe('the number of fetches', () => {
  test('is one for a thousand first requests', async () => {
    const tokens = check.open()
    const all = await Promise.all(Array.from({ length: 1000 }, () => check.issuer.token()))
    const outcomes = await Promise.all(all.map((token) => verdict(tokens, token)))
    expect(new Set(outcomes)).toEqual(new Set(['accepted']))
    expect(check.endpoint.requests()).toBe(1)
  })

  /** Tokens under 300 made-up key ids, some one after the other and some at once: how they all end. */
  async function flood(tokens: AccessTokens): Promise<string[]> {
    const all = await Promise.all(
      Array.from({ length: 300 }, (_, n) => check.issuer.token({}, { kid: `unknown-${n}` })),
    )
    const ends = new Set<string>()
    for (const token of all.slice(0, 50)) ends.add(await verdict(tokens, token))
    for (const end of await Promise.all(all.slice(50).map((token) => verdict(tokens, token)))) ends.add(end)
    return [...ends]
  }

  test.each([
    { state: 'up', answer: () => check.good, everyMs: 2_000, end: unknownKey },
    { state: 'down', answer: () => drop, everyMs: 30_000, end: notReadYet },
  ])('is one per $everyMs ms for a flood of unknown keys while the endpoint is $state', async (row) => {
    const tokens = check.open()
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    check.endpoint.answerWith(row.answer())
    expect(await flood(tokens)).toEqual([unknownKey])
    expect(check.endpoint.requests()).toBe(2)
    check.advance(row.everyMs - 1)
    expect(await flood(tokens)).toEqual([notReadYet])
    expect(check.endpoint.requests()).toBe(2)
    check.advance(1)
    expect(await flood(tokens)).toEqual([row.end])
    expect(check.endpoint.requests()).toBe(3)
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
  })

  test('is one for a flood of unknown keys that comes first', async () => {
    const tokens = check.open()
    const all = await Promise.all(
      Array.from({ length: 300 }, (_, n) => check.issuer.token({}, { kid: `unknown-${n}` })),
    )
    await Promise.all(all.map((token) => verdict(tokens, token)))
    expect(check.endpoint.requests()).toBe(1)
  })

  test('is one per 2 s for a flood of bad signatures under a known key', async () => {
    const tokens = check.open()
    const token = await check.issuer.token()
    expect(await verdict(tokens, token)).toBe('accepted')
    const forged = `${token.split('.').slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`
    for (const [wait, requests] of [
      [0, 2],
      [1_999, 2],
      [1, 3],
    ] as const) {
      check.advance(wait)
      const outcomes = await Promise.all(Array.from({ length: 300 }, () => verdict(tokens, forged)))
      expect(new Set(outcomes)).toEqual(new Set(['invalid_token: signature_wrong']))
      expect(check.endpoint.requests()).toBe(requests)
    }
  })

  test('doubles its pause while the set was never reached, up to 30 s, however many ask', async () => {
    check.endpoint.answerWith(drop)
    const tokens = check.open()
    await verdict(tokens, await check.issuer.token())
    for (const [n, pause] of [1, 2, 4, 8, 16, 30, 30].entries()) {
      check.advance(pause * 1000 - 1)
      expect(tokens.ready()).toBe(false)
      const error = await Promise.resolve(
        tokens.authenticate([`Bearer ${await check.issuer.token()}`]),
      ).catch((e) => e)
      expect(error).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
      expect(check.endpoint.requests()).toBe(n + 1)
      check.advance(1)
      await Promise.all(Array.from({ length: 20 }, async () => verdict(tokens, await check.issuer.token())))
      expect(check.endpoint.requests()).toBe(n + 2)
    }
  })

  test('is one per 5 min in use, in the background, and none when nobody asks', async () => {
    const tokens = check.open()
    const value = [`Bearer ${await check.issuer.token()}`]
    await tokens.authenticate(value)
    check.advance(5 * minute - 1)
    expect(tokens.authenticate(value)).not.toBeInstanceOf(Promise)
    expect(check.endpoint.requests()).toBe(1)
    check.advance(1)
    expect(tokens.authenticate(value)).not.toBeInstanceOf(Promise)
    expect(tokens.authenticate(value)).not.toBeInstanceOf(Promise)
    await expect.poll(() => check.endpoint.requests()).toBe(2)
    expect(tokens.ready()).toBe(true)
    expect(check.endpoint.requests()).toBe(2)
  })

  test('is none after closing', async () => {
    const tokens = check.open()
    const token = await check.issuer.token()
    expect(await verdict(tokens, token)).toBe('accepted')
    tokens.close()
    check.advance(6 * minute)
    expect(await verdict(tokens, token)).toBe('accepted')
    expect(await verdict(tokens, await check.issuer.token({}, { kid: 'unknown' }))).toBe(notReadYet)
    expect(check.endpoint.requests()).toBe(1)
  })
})

describe('a rotated key', () => {
  test('is found at once, while the old one still counts as long as it is in the set', async () => {
    const tokens = check.open()
    const old = await check.issuer.token()
    expect(await verdict(tokens, old)).toBe('accepted')
    check.issuer.rotate()
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    expect(await verdict(tokens, old)).toBe('accepted')
    expect(check.endpoint.requests()).toBe(2)
  })

  test('under the old name is found at once, and the old key is worth nothing from then on', async () => {
    const tokens = check.open()
    const [old, unseen] = [await check.issuer.token(), await check.issuer.token()]
    expect(await verdict(tokens, old)).toBe('accepted')
    check.issuer.rotate({ reuseKid: true })
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    for (const token of [old, unseen])
      expect(await verdict(tokens, token)).toBe('invalid_token: signature_wrong')
    expect(check.endpoint.requests()).toBe(2)
  })

  test('that left the set is worth nothing after the next refresh, its cached tokens neither', async () => {
    const tokens = check.open()
    const [seen, unseen] = [await check.issuer.token(), await check.issuer.token()]
    expect(await verdict(tokens, seen)).toBe('accepted')
    check.issuer.rotate({ keepOld: false })
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    for (const token of [seen, unseen]) expect(await verdict(tokens, token)).toBe(unknownKey)
  })
})

describe('a token under a key that our copy lacks, while the set may not be read again yet,', () => {
  const bogus = (iat?: number) => check.issuer.token({ ...(iat && { iat }) }, { kid: 'made-up' })
  const putOff = async (tokens: AccessTokens, claims: Record<string, unknown> = {}) => {
    const value = [`Bearer ${await check.issuer.token(claims)}`]
    return Promise.resolve(tokens.authenticate(value)).catch((error) => error)
  }

  test('is put off for the rest of 2 s, not refused, and then taken: a made-up key id spends no more', async () => {
    const tokens = check.open()
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    expect(await verdict(tokens, await bogus())).toBe(unknownKey)
    check.advance(1)
    check.issuer.rotate()
    const refused = { code: 'unavailable', reason: 'key_not_read_yet' }
    expect(await putOff(tokens)).toMatchObject({ ...refused, retryAfterSeconds: 2 })
    check.advance(1_998)
    expect(await verdict(tokens, await bogus())).toBe(notReadYet)
    expect(await putOff(tokens)).toMatchObject({ ...refused, retryAfterSeconds: 1 })
    expect(check.endpoint.requests()).toBe(2)
    check.advance(1)
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    expect(check.endpoint.requests()).toBe(3)
  })

  test('is put off until the next fetch is due while the address fails', async () => {
    const tokens = check.open()
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    check.endpoint.answerWith(drop)
    check.issuer.rotate()
    check.advance(1)
    expect(await putOff(tokens)).toMatchObject({ reason: 'key_not_read_yet', retryAfterSeconds: 30 })
    check.endpoint.answerWith(check.good)
    check.advance(30_000)
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
  })

  test('is refused when it is older than our copy, by its own word and five seconds', async () => {
    const tokens = check.open()
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    const second = Math.floor(check.now() / 1000)
    check.advance(20_000)
    expect(await verdict(tokens, await bogus())).toBe(unknownKey)
    check.advance(1)
    for (const [iat, end] of [
      [second, unknownKey],
      [second + 15, unknownKey],
      [second + 16, notReadYet],
      [second + 20, notReadYet],
    ] as const)
      expect(await verdict(tokens, await bogus(iat)), `${iat - second}`).toBe(end)
    const untold = await check.issuer.token({ iat: undefined }, { kid: 'made-up' })
    expect(await verdict(tokens, untold)).toBe(notReadYet)
    expect(check.endpoint.requests()).toBe(2)
  })
})
