import { describe, expect, test } from 'vitest'
import { secretKey } from '../../src/auth/keys/verification-key.ts'
import { createTokenCache, tokenDigest } from '../../src/auth/token-cache.ts'

const newKey = () => secretKey(new Uint8Array(32))

describe('the cache of verified tokens', () => {
  test('gives an entry until the moment it dies, then never again', () => {
    const cache = createTokenCache(2)
    const entry = { key: newKey(), diesAt: 1000 }
    cache.set('a', entry)
    expect(cache.get('a', 999)).toBe(entry)
    expect(cache.get('a', 1000)).toBeUndefined()
    expect(cache.size()).toBe(0)
    expect(cache.get('a', 0)).toBeUndefined()
  })

  test('gives nothing whose key is gone, and leaves the tokens of other keys alone', () => {
    const cache = createTokenCache(2)
    const [gone, kept] = [newKey(), newKey()]
    cache.set('a', { key: gone, diesAt: 1000 })
    cache.set('b', { key: kept, diesAt: 1000 })
    gone.live = false
    expect(cache.get('a', 0)).toBeUndefined()
    expect(cache.get('b', 0)).toBeDefined()
  })

  test('never holds more than its limit, and lets the entry go that was used least recently', () => {
    const cache = createTokenCache(3)
    const key = newKey()
    for (const digest of ['a', 'b', 'c']) cache.set(digest, { key, diesAt: 1000 })
    cache.get('a', 0)
    cache.set('d', { key, diesAt: 1000 })
    expect(cache.size()).toBe(3)
    expect(['a', 'b', 'c', 'd'].filter((digest) => cache.get(digest, 0))).toEqual(['a', 'c', 'd'])
    for (let n = 0; n < 1000; n += 1) cache.set(`${n}`, { key, diesAt: 1000 })
    expect(cache.size()).toBe(3)
  })

  test('counts a token that is set twice once', () => {
    const cache = createTokenCache(2)
    const key = newKey()
    for (const digest of ['a', 'b', 'b']) cache.set(digest, { key, diesAt: 1000 })
    expect(cache.get('a', 0)).toBeDefined()
  })

  test('names a token by the SHA-256 of its exact text', () => {
    expect(tokenDigest('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
    expect(tokenDigest('abc ')).not.toBe(tokenDigest('abc'))
  })
})
