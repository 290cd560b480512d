import {
  constants as cryptoConstants,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

export type IssuerAlgorithm = 'EdDSA' | 'ES256' | 'ES512' | 'PS256' | 'RS256'

type SigningKey = { readonly kid: string; readonly privateKey: KeyObject; readonly jwk: JsonWebKey }

/** An identity provider on loopback: real keys, a key set shaped as Better Auth's, tokens as its `jwt` plugin makes. */
export type TokenIssuer = AsyncDisposable & {
  /** Where the key set is. */
  readonly url: string
  readonly issuer: string
  readonly audience: string
  /** The `kid` that signs now. */
  readonly kid: () => string
  /** A signed token. A claim or header given here replaces the default; given as `undefined` it is left out. */
  readonly token: (claims?: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>
  /** A token of exactly these two texts, well signed, for what no JSON writer makes. */
  readonly tokenOf: (header: string | Uint8Array, payload: string | Uint8Array) => string
  /** Signs from now on with a new key. `keepOld: false` takes the old ones out of the set; `reuseKid` gives the new key the old name. */
  readonly rotate: (options?: { keepOld?: boolean; reuseKid?: boolean }) => void
  /** How often the key set was asked for. */
  readonly requests: () => number
  readonly close: () => Promise<void>
}

/** Starts an issuer on a free loopback port. `now` (epoch ms) is the clock that `iat` and `exp` are taken from. */
export async function startTokenIssuer(
  options: { algorithm?: IssuerAlgorithm; now?: () => number } = {},
): Promise<TokenIssuer> {
  const algorithm = options.algorithm ?? 'EdDSA'
  const now = options.now ?? Date.now
  let current = makeKey(algorithm)
  let published = [current]
  let requests = 0

  const server = createServer((request, response) => {
    if (request.url !== '/api/auth/jwks') return response.writeHead(404).end()
    requests += 1
    const keys = published.map((key) => ({ alg: algorithm, ...key.jwk, kid: key.kid }))
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the issuer has no port')
  const origin = `http://127.0.0.1:${address.port}`

  const tokenOf: TokenIssuer['tokenOf'] = (header, payload) => {
    const signed = `${encode(header)}.${encode(payload)}`
    return `${signed}.${signature(algorithm, signed, current.privateKey).toString('base64url')}`
  }
  const close = async () => {
    if (!server.listening) return
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return {
    url: `${origin}/api/auth/jwks`,
    issuer: origin,
    audience: origin,
    kid: () => current.kid,
    token: async (claims = {}, header = {}) => {
      const payload = { ...betterAuthClaims(origin, Math.floor(now() / 1000)), ...claims }
      return tokenOf(JSON.stringify({ alg: algorithm, kid: current.kid, ...header }), JSON.stringify(payload))
    },
    tokenOf,
    rotate: ({ keepOld = true, reuseKid = false } = {}) => {
      const next = makeKey(algorithm)
      current = reuseKid ? { ...next, kid: current.kid } : next
      published = keepOld && !reuseKid ? [...published, current] : [current]
    },
    requests: () => requests,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function makeKey(algorithm: IssuerAlgorithm): SigningKey {
  const { publicKey, privateKey } = makePair(algorithm)
  return { kid: randomUUID().replaceAll('-', ''), privateKey, jwk: publicKey.export({ format: 'jwk' }) }
}

function makePair(algorithm: IssuerAlgorithm) {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (algorithm === 'ES512') return generateKeyPairSync('ec', { namedCurve: 'P-521' })
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

/** The JWS signature (RFC 7518, section 3; RFC 8037) of any text. */
export function signature(algorithm: IssuerAlgorithm, text: string, key: KeyObject): Buffer {
  const data = Buffer.from(text)
  if (algorithm === 'EdDSA') return sign(null, data, key)
  if (algorithm === 'ES256') return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })
  if (algorithm === 'ES512') return sign('sha512', data, { key, dsaEncoding: 'ieee-p1363' })
  if (algorithm === 'RS256') return sign('sha256', data, key)
  return sign('sha256', data, { key, padding: cryptoConstants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
}

function betterAuthClaims(origin: string, nowSeconds: number): Record<string, unknown> {
  const id = randomUUID().replaceAll('-', '')
  const created = new Date(nowSeconds * 1000).toISOString()
  return {
    iat: nowSeconds,
    name: 'Ann Example',
    email: `${id}@example.com`,
    emailVerified: false,
    image: null,
    createdAt: created,
    updatedAt: created,
    id,
    sub: id,
    exp: nowSeconds + 15 * 60,
    iss: origin,
    aud: origin,
  }
}

function encode(part: string | Uint8Array): string {
  return Buffer.from(part).toString('base64url')
}
