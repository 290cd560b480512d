import { generateKeyPairSync } from 'node:crypto'
import type { RequestListener, ServerResponse } from 'node:http'
import { startDocumentedApi } from '../support/documented-api.ts'
import { answerJson, startEndpoint } from '../support/key-endpoint.ts'
import { startProxy } from '../support/proxy.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'

/** The whole app with its keys at an address that can be made to fail, and an issuer that signs all the while. */
export async function openFaultyApi(databaseUrl: string, first?: Fault) {
  const issuer = await startTokenIssuer()
  const good: RequestListener = async (_, response) =>
    answerJson(response, await (await fetch(issuer.url)).text())
  const endpoint = await startEndpoint(good)
  const network = await startProxy(endpoint.url)
  const breakBy = async (fault: Fault) => {
    if (fault.answer === undefined) await network.refuse()
    else endpoint.answerWith(fault.answer)
  }
  if (first !== undefined) await breakBy(first)
  const { issuer: name, audience } = issuer
  // Production, where every refusal has the same bytes.
  const urls = { AUTH_JWKS_URL: network.url, AUTH_ISSUER: name, AUTH_AUDIENCE: audience }
  const environment = { NODE_ENV: 'production', ...urls }
  const api = await startDocumentedApi(environment, { databaseUrl })
  const get = (path: string, token: string) =>
    api.call(path, { headers: { authorization: `Bearer ${token}`, 'x-request-id': 'same' } })
  return {
    api,
    issuer,
    endpoint,
    breakBy,
    repair: async () => {
      endpoint.answerWith(good)
      await network.resume()
    },
    get,
    /** The status for this token at an operation that reads rows, and the code of a refusal. */
    verdict: async (token: string) => {
      const { status, json } = await get('/api/v1/tasks', token)
      return status === 200 ? '200' : `${status} ${json().code}`
    },
    /** The reasons that the log has for key sets that could not be read. */
    reasons: () =>
      api
        .logged()
        .split('\n')
        .filter((line) => line.includes('"event":"keys_unreadable"'))
        .map((line) => JSON.parse(line).reason),
    close: async () => {
      await api.close()
      await network.close()
      await Promise.all([endpoint.close(), issuer.close()])
    },
  }
}

export type FaultyApi = Awaited<ReturnType<typeof openFaultyApi>>

/** One way for a key set to be out of reach, and the name that the log has for it. */
export type Fault = {
  readonly fault: string
  readonly reason: string
  /** How the address answers; without it nobody listens there. */
  readonly answer?: RequestListener
  /** It takes the whole time limit of a fetch to notice. */
  readonly slow?: true
}

const json = { 'content-type': 'application/json' }

const endless: RequestListener = (_, response) => {
  response.writeHead(200, json)
  const more = () => {
    while (!response.destroyed && response.write(' '.repeat(16_384)));
  }
  response.on('drain', more)
  more()
}

const text = (body: string, type = 'application/json') => {
  return (_: unknown, response: ServerResponse) => answerJson(response, body, type)
}

export const faults: readonly Fault[] = [
  { fault: 'refuses connections', reason: 'unreachable' },
  { fault: 'hangs up', reason: 'unreachable', answer: (_, response) => response.destroy() },
  { fault: 'never answers', reason: 'timeout', slow: true, answer: () => undefined },
  {
    fault: 'stops in the middle of its answer',
    reason: 'timeout',
    slow: true,
    answer: (_, response) => response.writeHead(200, json).write('{"keys":['),
  },
  { fault: 'answers 500', reason: 'bad_status', answer: (_, response) => response.writeHead(500).end('{}') },
  { fault: 'answers 404', reason: 'not_found', answer: (_, response) => response.writeHead(404).end('{}') },
  { fault: 'answers 401', reason: 'bad_status', answer: (_, response) => response.writeHead(401).end('{}') },
  { fault: 'answers HTML', reason: 'not_json', answer: text('<!doctype html>', 'text/html') },
  { fault: 'answers HTML that says it is JSON', reason: 'unreadable', answer: text('<!doctype html>') },
  { fault: 'answers without end', reason: 'too_large', answer: endless },
  { fault: 'answers 300 kB', reason: 'too_large', answer: text(`{"keys":[],"x":"${'x'.repeat(300_000)}"}`) },
  {
    fault: 'redirects',
    reason: 'redirect',
    answer: ({ headers }, response) =>
      response.writeHead(302, { location: `http://${headers.host}/other` }).end(),
  },
  { fault: 'answers half an object', reason: 'unreadable', answer: text('{"keys":[') },
  { fault: 'answers no key set', reason: 'unreadable', answer: text('{"keys":{"0":{}}}') },
  {
    fault: 'answers 2,000 arrays in each other',
    reason: 'unreadable',
    answer: text('['.repeat(2000) + ']'.repeat(2000)),
  },
]

const ed25519 = generateKeyPairSync('ed25519')
const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const longRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const only = (key: object) => text(JSON.stringify({ keys: [{ kid: 'k', ...key }] }))

/** Sets that are read and hold nothing to check a token with. */
export const emptySets: readonly { set: string; answer: RequestListener }[] = [
  { set: 'nothing', answer: text('{"keys":[]}') },
  {
    set: 'a secret',
    answer: text(
      '{"keys":[{"kty":"oct","kid":"k","alg":"HS256","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"}]}',
    ),
  },
  { set: 'a broken key', answer: only({ kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }) },
  { set: 'a private key', answer: only(ed25519.privateKey.export({ format: 'jwk' })) },
  { set: 'a key without a name', answer: only({ ...ed25519.publicKey.export({ format: 'jwk' }), kid: '' }) },
  { set: 'an RSA key of 1,024 bits', answer: only(shortRsa.publicKey.export({ format: 'jwk' })) },
  {
    set: 'an RSA key under which everybody can sign',
    answer: only({ ...longRsa.publicKey.export({ format: 'jwk' }), e: 'AQ' }),
  },
  {
    set: 'a key for encryption',
    answer: only({ ...ed25519.publicKey.export({ format: 'jwk' }), use: 'enc' }),
  },
  { set: 'null and arrays', answer: text('{"keys":[null,[],1,"key"]}') },
]
