import type { RequestListener } from 'node:http'
import { beforeEach, describe, expect, test } from 'vitest'
import { remoteKeys } from '../../src/auth/keys/key-set.ts'
import { answerJson, type KeySetCheck, openKeySetCheck, verdict } from '../support/key-endpoint.ts'

let check: KeySetCheck
beforeEach(async () => {
  check = await openKeySetCheck()
  return () => check.close()
})

const minute = 60_000
const unavailable = 'unavailable: keys_unavailable'

const endless: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const more = () => {
    while (!response.destroyed && response.write(' '.repeat(16_384)));
  }
  response.on('drain', more)
  more()
}
/** Each way an endpoint can fail, and the name the log has for it. */
const faults: [string, string, RequestListener][] = [
  ['drops the connection', 'unreachable', (_, response) => response.destroy()],
  ['never answers', 'timeout', () => undefined],
  [
    'stops in the body',
    'timeout',
    (_, r) => r.writeHead(200, { 'content-type': 'application/json' }).write('{'),
  ],
  ['answers 500', 'bad_status', (_, response) => response.writeHead(500).end('{}')],
  ['answers 404', 'not_found', (_, response) => response.writeHead(404).end()],
  ['answers 204', 'bad_status', (_, response) => response.writeHead(204).end()],
  ['answers HTML', 'not_json', (_, response) => answerJson(response, '<!doctype html>', 'text/html')],
  ['names no type', 'not_json', (_, response) => response.writeHead(200).end('{"keys":[]}')],
  ['answers HTML as JSON', 'unreadable', (_, response) => answerJson(response, '<!doctype html>')],
  ['answers no set', 'unreadable', (_, response) => answerJson(response, '[]')],
  ['answers without keys', 'unreadable', (_, response) => answerJson(response, '{"keys":{}}')],
  [
    'answers in invalid UTF-8',
    'unreadable',
    (_, r) => r.setHeader('content-type', 'application/json').end('\xff', 'latin1'),
  ],
  ['answers without end', 'too_large', endless],
  ['redirects to a good set', 'redirect', (_, r) => r.writeHead(302, { location: check.issuer.url }).end()],
]

describe('a key set whose endpoint', () => {
  test.each(faults)(
    '%s (%s) from the start is unavailable, not the fault of the token',
    async (_, reason, fault) => {
      check.endpoint.answerWith(fault)
      const tokens = check.open({ limitMs: reason === 'timeout' ? 100 : 10_000 })
      expect(tokens.ready()).toBe(false)
      expect(await verdict(tokens, await check.issuer.token())).toBe(unavailable)
      expect(await verdict(tokens, await check.issuer.token())).toBe(unavailable)
      expect(check.faults()).toEqual([reason])
      // A sentence that says what to do, without frames.
      expect(JSON.stringify(check.lines)).toMatch(/"cause":\{"type":"KeySetFault","message":"[^"]+"\}/)
      expect(tokens.ready()).toBe(false)
      expect([check.endpoint.requests(), check.issuer.requests()]).toEqual([1, 0])

      check.endpoint.answerWith(check.good)
      check.advance(1000)
      expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
      expect(tokens.ready()).toBe(true)
    },
  )

  test.each(faults)('%s (%s) later goes on with the keys it knows', async (_, reason, fault) => {
    const tokens = check.open({ limitMs: reason === 'timeout' ? 100 : 10_000 })
    const seen = await check.issuer.token({ exp: check.now() / 1000 + 86_400 })
    expect(await verdict(tokens, seen)).toBe('accepted')
    check.endpoint.answerWith(fault)
    check.advance(60 * minute)
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    expect(await verdict(tokens, seen)).toBe('accepted')
    expect(check.faults()).toEqual([reason])
    expect(check.endpoint.requests()).toBe(2)
    expect(tokens.ready()).toBe(true)
  })

  test('refuses connections is unavailable, and serves again by itself', async () => {
    let url = check.endpoint.url
    await check.endpoint.close()
    const tokens = check.open({}, (signal) => remoteKeys(url)(signal))
    expect(await verdict(tokens, await check.issuer.token())).toBe(unavailable)
    expect(check.faults()).toEqual(['unreachable'])
    url = check.issuer.url
    check.advance(1000)
    expect(tokens.ready()).toBe(false)
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
  })

  test('is in our own process and throws or ignores its signal does no more harm than a remote one', async () => {
    const throwing = check.open({}, () => {
      throw new Error('broken')
    })
    expect(await verdict(throwing, await check.issuer.token())).toBe(unavailable)
    const deaf = check.open({ limitMs: 50 }, () => new Promise(() => undefined))
    expect(await verdict(deaf, await check.issuer.token())).toBe(unavailable)
    expect(check.faults()).toEqual(['unreachable', 'timeout'])
  })

  test('answers an empty set takes every key away at once, cached tokens included', async () => {
    const tokens = check.open()
    const seen = await check.issuer.token()
    expect(await verdict(tokens, seen)).toBe('accepted')
    check.endpoint.answerWith((_, response) => answerJson(response, '{"keys":[]}'))
    check.advance(6 * minute)
    expect(await verdict(tokens, await check.issuer.token())).toBe(unavailable)
    expect(await verdict(tokens, seen)).toBe(unavailable)
    expect(check.faults()).toEqual(['no_usable_key'])
    expect(tokens.ready()).toBe(false)
  })

  test('is still down at the stale limit loses its keys, cached tokens included', async () => {
    const tokens = check.open()
    const seen = await check.issuer.token({ exp: check.now() / 1000 + 3 * 86_400 })
    expect(await verdict(tokens, seen)).toBe('accepted')
    await check.endpoint.close()
    check.advance(24 * 60 * minute - 1)
    expect(await verdict(tokens, await check.issuer.token())).toBe('accepted')
    expect(await verdict(tokens, seen)).toBe('accepted')
    check.advance(1)
    expect(await verdict(tokens, seen)).toBe(unavailable)
    expect(await verdict(tokens, await check.issuer.token())).toBe(unavailable)
    expect(tokens.ready()).toBe(false)
    expect(check.lines.filter(({ level }) => level === 50)).toHaveLength(1)
  })
})
