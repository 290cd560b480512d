import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AccessTokens, createAccessTokens } from '../../src/auth/access-token.ts'
import { type FetchKeys, type KeySetTiming, loadKeys, remoteKeys } from '../../src/auth/key-set.ts'
import { importKeys } from '../../src/auth/verification-key.ts'
import { AppError } from '../../src/errors.ts'
import { startTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts'

const minute = 60_000
const start = Date.UTC(2026, 10, 20)
let clock = start
const now = () => clock
let lines: { reason?: string; level?: number; msg?: string; ignored?: unknown }[] = []
const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(JSON.parse(line)) })

let issuer: TokenIssuer
let endpoint: Endpoint
let opened: AccessTokens[] = []

beforeEach(async () => {
  clock = start
  lines = []
  issuer = await startTokenIssuer({ now })
  endpoint = await startEndpoint()
})
afterEach(async () => {
  for (const tokens of opened) tokens.close()
  opened = []
  await Promise.all([issuer.close(), endpoint.close()])
})

type Endpoint = {
  readonly url: string
  readonly answerWith: (answer: RequestListener) => void
  readonly requests: () => number
  readonly close: () => Promise<void>
}

/** A key-set address that passes the issuer's own answer on until it is told to misbehave. */
async function startEndpoint(): Promise<Endpoint> {
  let requests = 0
  let answer: RequestListener = good
  const server = createServer((request, response) => {
    requests += 1
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}/jwks`,
    answerWith: (next) => {
      answer = next
    },
    requests: () => requests,
    close: async () => {
      if (!server.listening) return
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const good: RequestListener = async (_, response) => json(response, await (await fetch(issuer.url)).text())
function json(response: ServerResponse, body: string, type = 'application/json'): void {
  response.writeHead(200, { 'content-type': type }).end(body)
}

function open(timing: Partial<KeySetTiming> = {}, fetchKeys: FetchKeys = remoteKeys(endpoint.url)) {
  const { issuer: one, audience } = issuer
  const source = {
    kind: 'key-set',
    issuers: [one],
    audiences: [audience],
    fetchKeys,
    label: 'the key set',
  } as const
  const tokens = createAccessTokens({ sources: [source], log, now, keySetTiming: timing })
  opened.push(tokens)
  return tokens
}

/** 'accepted', or the code and the reason of the refusal. */
async function outcome(tokens: AccessTokens, token: string): Promise<string> {
  try {
    await tokens.authenticate([`Bearer ${token}`])
    return 'accepted'
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return `${error.code}: ${error.reason}`
  }
}

const reasons = () =>
  lines.filter(({ msg }) => msg?.includes('could not be read')).map(({ reason }) => reason)
const unknownKey = 'invalid_token: key_unknown'
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
  ['answers HTML', 'not_json', (_, response) => json(response, '<!doctype html>', 'text/html')],
  ['names no type', 'not_json', (_, response) => response.writeHead(200).end('{"keys":[]}')],
  ['answers HTML as JSON', 'unreadable', (_, response) => json(response, '<!doctype html>')],
  ['answers no set', 'unreadable', (_, response) => json(response, '[]')],
  ['answers without keys', 'unreadable', (_, response) => json(response, '{"keys":{}}')],
  [
    'answers in invalid UTF-8',
    'unreadable',
    (_, r) => r.setHeader('content-type', 'application/json').end('\xff', 'latin1'),
  ],
  ['answers without end', 'too_large', endless],
  ['redirects to a good set', 'redirect', (_, r) => r.writeHead(302, { location: issuer.url }).end()],
]

describe('a key set whose endpoint', () => {
  test.each(faults)(
    '%s (%s) from the start is unavailable, not the fault of the token',
    async (_, reason, fault) => {
      endpoint.answerWith(fault)
      const tokens = open({ limitMs: reason === 'timeout' ? 100 : 10_000 })
      expect(tokens.ready()).toBe(false)
      expect(await outcome(tokens, await issuer.token())).toBe(unavailable)
      expect(await outcome(tokens, await issuer.token())).toBe(unavailable)
      expect(reasons()).toEqual([reason])
      expect(tokens.ready()).toBe(false)
      expect([endpoint.requests(), issuer.requests()]).toEqual([1, 0])

      endpoint.answerWith(good)
      clock += 1000
      expect(await outcome(tokens, await issuer.token())).toBe('accepted')
      expect(tokens.ready()).toBe(true)
    },
  )

  test.each(faults)('%s (%s) later goes on with the keys it knows', async (_, reason, fault) => {
    const tokens = open({ limitMs: reason === 'timeout' ? 100 : 10_000 })
    const seen = await issuer.token({ exp: start / 1000 + 86_400 })
    expect(await outcome(tokens, seen)).toBe('accepted')
    endpoint.answerWith(fault)
    clock += 60 * minute
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    expect(await outcome(tokens, seen)).toBe('accepted')
    expect(reasons()).toEqual([reason])
    expect(endpoint.requests()).toBe(2)
    expect(tokens.ready()).toBe(true)
  })

  test('refuses connections is unavailable, and serves again by itself', async () => {
    let url = endpoint.url
    await endpoint.close()
    const tokens = open({}, (signal) => remoteKeys(url)(signal))
    expect(await outcome(tokens, await issuer.token())).toBe(unavailable)
    expect(reasons()).toEqual(['unreachable'])
    url = issuer.url
    clock += 1000
    expect(tokens.ready()).toBe(false)
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
  })

  test('is in our own process and throws or ignores its signal does no more harm than a remote one', async () => {
    const throwing = open({}, () => {
      throw new Error('broken')
    })
    expect(await outcome(throwing, await issuer.token())).toBe(unavailable)
    const deaf = open({ limitMs: 50 }, () => new Promise(() => undefined))
    expect(await outcome(deaf, await issuer.token())).toBe(unavailable)
    expect(reasons()).toEqual(['unreachable', 'timeout'])
  })

  test('answers an empty set takes every key away at once, cached tokens included', async () => {
    const tokens = open()
    const seen = await issuer.token()
    expect(await outcome(tokens, seen)).toBe('accepted')
    endpoint.answerWith((_, response) => json(response, '{"keys":[]}'))
    clock += 6 * minute
    expect(await outcome(tokens, await issuer.token())).toBe(unavailable)
    expect(await outcome(tokens, seen)).toBe(unavailable)
    expect(reasons()).toEqual(['no_usable_key'])
    expect(tokens.ready()).toBe(false)
  })

  test('is still down at the stale limit loses its keys, cached tokens included', async () => {
    const tokens = open()
    const seen = await issuer.token({ exp: start / 1000 + 3 * 86_400 })
    expect(await outcome(tokens, seen)).toBe('accepted')
    await endpoint.close()
    clock = start + 24 * 60 * minute - 1
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    expect(await outcome(tokens, seen)).toBe('accepted')
    clock += 1
    expect(await outcome(tokens, seen)).toBe(unavailable)
    expect(await outcome(tokens, await issuer.token())).toBe(unavailable)
    expect(tokens.ready()).toBe(false)
    expect(lines.filter(({ level }) => level === 50)).toHaveLength(1)
  })
})

describe('the number of fetches', () => {
  test('is one for a thousand first requests', async () => {
    const tokens = open()
    const all = await Promise.all(Array.from({ length: 1000 }, () => issuer.token()))
    const outcomes = await Promise.all(all.map((token) => outcome(tokens, token)))
    expect(new Set(outcomes)).toEqual(new Set(['accepted']))
    expect(endpoint.requests()).toBe(1)
  })

  test.each([
    ['up', good],
    ['down', faults[0]?.[2] ?? good],
  ])('is one per 30 s for a flood of unknown keys while the endpoint is %s', async (_, answer) => {
    const tokens = open()
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    endpoint.answerWith(answer)
    const flood = async () => {
      const all = await Promise.all(
        Array.from({ length: 300 }, (_, n) => issuer.token({}, { kid: `unknown-${n}` })),
      )
      for (const token of all.slice(0, 50)) expect(await outcome(tokens, token)).toBe(unknownKey)
      const rest = await Promise.all(all.slice(50).map((token) => outcome(tokens, token)))
      expect(new Set(rest)).toEqual(new Set([unknownKey]))
    }
    await flood()
    expect(endpoint.requests()).toBe(2)
    clock += 29_999
    await flood()
    expect(endpoint.requests()).toBe(2)
    clock += 1
    await flood()
    expect(endpoint.requests()).toBe(3)
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
  })

  test('is one for a flood of unknown keys that comes first', async () => {
    const tokens = open()
    const all = await Promise.all(
      Array.from({ length: 300 }, (_, n) => issuer.token({}, { kid: `unknown-${n}` })),
    )
    await Promise.all(all.map((token) => outcome(tokens, token)))
    expect(endpoint.requests()).toBe(1)
  })

  test('is one per 30 s for a flood of bad signatures under a known key', async () => {
    const tokens = open()
    const token = await issuer.token()
    expect(await outcome(tokens, token)).toBe('accepted')
    const forged = `${token.split('.').slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`
    const outcomes = await Promise.all(Array.from({ length: 300 }, () => outcome(tokens, forged)))
    expect(new Set(outcomes)).toEqual(new Set(['invalid_token: signature_wrong']))
    expect(endpoint.requests()).toBe(2)
  })

  test('doubles its pause while the set was never reached, up to 30 s, however many ask', async () => {
    endpoint.answerWith((_, response) => response.destroy())
    const tokens = open()
    await outcome(tokens, await issuer.token())
    for (const [n, pause] of [1, 2, 4, 8, 16, 30, 30].entries()) {
      clock += pause * 1000 - 1
      expect(tokens.ready()).toBe(false)
      const error = await Promise.resolve(tokens.authenticate([`Bearer ${await issuer.token()}`])).catch(
        (e) => e,
      )
      expect(error).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
      expect(endpoint.requests()).toBe(n + 1)
      clock += 1
      await Promise.all(Array.from({ length: 20 }, async () => outcome(tokens, await issuer.token())))
      expect(endpoint.requests()).toBe(n + 2)
    }
  })

  test('is one per 5 min in use, in the background, and none when nobody asks', async () => {
    const tokens = open()
    const value = [`Bearer ${await issuer.token()}`]
    await tokens.authenticate(value)
    clock += 5 * minute - 1
    expect(tokens.authenticate(value)).not.toBeInstanceOf(Promise)
    expect(endpoint.requests()).toBe(1)
    clock += 1
    expect(tokens.authenticate(value)).not.toBeInstanceOf(Promise)
    expect(tokens.authenticate(value)).not.toBeInstanceOf(Promise)
    await expect.poll(() => endpoint.requests()).toBe(2)
    expect(tokens.ready()).toBe(true)
    expect(endpoint.requests()).toBe(2)
  })

  test('is none after closing', async () => {
    const tokens = open()
    const token = await issuer.token()
    expect(await outcome(tokens, token)).toBe('accepted')
    tokens.close()
    clock += 6 * minute
    expect(await outcome(tokens, token)).toBe('accepted')
    expect(await outcome(tokens, await issuer.token({}, { kid: 'unknown' }))).toBe(unknownKey)
    expect(endpoint.requests()).toBe(1)
  })
})

describe('a rotated key', () => {
  test('is found at once, while the old one still counts as long as it is in the set', async () => {
    const tokens = open()
    const old = await issuer.token()
    expect(await outcome(tokens, old)).toBe('accepted')
    issuer.rotate()
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    expect(await outcome(tokens, old)).toBe('accepted')
    expect(endpoint.requests()).toBe(2)
  })

  test('under the old name is found at once, and the old key is worth nothing from then on', async () => {
    const tokens = open()
    const [old, unseen] = [await issuer.token(), await issuer.token()]
    expect(await outcome(tokens, old)).toBe('accepted')
    issuer.rotate({ reuseKid: true })
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    for (const token of [old, unseen])
      expect(await outcome(tokens, token)).toBe('invalid_token: signature_wrong')
    expect(endpoint.requests()).toBe(2)
  })

  test('that left the set is worth nothing after the next refresh, its cached tokens neither', async () => {
    const tokens = open()
    const [seen, unseen] = [await issuer.token(), await issuer.token()]
    expect(await outcome(tokens, seen)).toBe('accepted')
    issuer.rotate({ keepOld: false })
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    for (const token of [seen, unseen]) expect(await outcome(tokens, token)).toBe(unknownKey)
  })
})

describe('the keys of a set', () => {
  const ed25519 = () => generateKeyPairSync('ed25519')
  const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).publicKey
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

  test('that were left out are named in the log once, not at every refresh', async () => {
    const set = await (await fetch(issuer.url)).text()
    const body = set.replace('[', `[${JSON.stringify({ kty: 'oct', k: 'c2VjcmV0', kid: 'shared' })},`)
    endpoint.answerWith((_, response) => json(response, body, 'application/jwk-set+json; charset=utf-8'))
    const tokens = open()
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    clock += 6 * minute
    expect(await outcome(tokens, await issuer.token())).toBe('accepted')
    expect(endpoint.requests()).toBe(2)
    const warnings = lines.filter(({ ignored }) => ignored)
    expect(warnings).toMatchObject([{ level: 40, source: 'the key set', ignored: [{ reason: 'symmetric' }] }])
    expect(JSON.stringify(lines)).not.toContain('c2VjcmV0')
  })
})

describe('the address of a key set', () => {
  test.each([
    'https://auth.example/jwks',
    'http://localhost:3000/jwks',
    'http://127.0.0.1/jwks',
    'http://127.9.9.9/jwks',
    'http://[::1]:3000/jwks',
  ])('may be %s', (url) => {
    expect(() => remoteKeys(url)).not.toThrow()
  })

  test.each([
    'http://auth.example/jwks',
    'http://127.0.0.1.example/jwks',
    'http://localhost.example/jwks',
    'http://10.0.0.1/jwks',
    'file:///etc/hosts',
    'data:application/json,{}',
    'https://name:word@auth.example/jwks',
    'jwks',
  ])('may not be %s', (url) => {
    expect(() => remoteKeys(url)).toThrow(TypeError)
  })

  test('can be tried once, for the doctor, with a fault that says what to do', async () => {
    const { keys } = await loadKeys(remoteKeys(issuer.url))
    expect(keys.size).toBe(1)
    endpoint.answerWith((_, response) => response.writeHead(404).end())
    await expect(loadKeys(remoteKeys(endpoint.url))).rejects.toMatchObject({
      reason: 'not_found',
      message: expect.stringContaining('jwt plugin'),
    })
  })
})
