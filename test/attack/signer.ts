import { createHmac, generateKeyPairSync, type JsonWebKey, type KeyObject, randomBytes } from 'node:crypto'
import { type IssuerAlgorithm, signature } from '../support/token-issuer.ts'

/** The moment at which the clock of these suites stands, in epoch seconds. */
export const seconds = Date.UTC(2026, 10, 20) / 1000
export const audience = 'https://api.example'
export const keySetIssuer = 'https://app.example'
export const secretIssuer = 'https://login.example'

/** Somebody whose tokens are accepted: a key of the set, or the holder of the shared secret. */
export type Signer = {
  readonly kind: 'key-set' | 'secret'
  readonly alg: string
  /** A shared secret has none. */
  readonly kid: string | undefined
  readonly issuer: string
  readonly sign: (text: string) => Buffer
  /** The public half, which everybody has; a shared secret has none. */
  readonly publicKey: KeyObject | undefined
  readonly secret: string | undefined
}

export type KeyOfSet = Signer & { readonly publicKey: KeyObject; readonly jwk: JsonWebKey }

/** A key of a set that names it as Better Auth does. */
export function keyOfSet(alg: IssuerAlgorithm): KeyOfSet {
  const { publicKey, privateKey } = keyPair(alg)
  const kid = randomBytes(16).toString('hex')
  return {
    kind: 'key-set',
    alg,
    kid,
    issuer: keySetIssuer,
    sign: (text) => signature(alg, text, privateKey),
    publicKey,
    secret: undefined,
    jwk: { ...publicKey.export({ format: 'jwk' }), alg, kid },
  }
}

export function holderOfSecret(secret: string): Signer {
  const shape = { kind: 'secret', alg: 'HS256', kid: undefined, publicKey: undefined } as const
  return { ...shape, issuer: secretIssuer, sign: hmac(secret), secret }
}

/** Signs as HS256 does, or as HS384 and HS512 do. */
export function hmac(key: string | Uint8Array, bits: 256 | 384 | 512 = 256): (text: string) => Buffer {
  return (text) => createHmac(`sha${bits}`, key).update(text).digest()
}

function keyPair(alg: IssuerAlgorithm) {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519')
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (alg === 'ES512') return generateKeyPairSync('ec', { namedCurve: 'P-521' })
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

export type Changes = {
  /** Replaces members of the good header; `undefined` leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>
  /** Replaces claims; `undefined` leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Claims as JSON text, for what no JSON writer makes. */
  readonly rawClaims?: Readonly<Record<string, string>>
  readonly headerText?: string | Uint8Array
  readonly payloadText?: string | Uint8Array
  /** Signs in the place of the signer. */
  readonly sign?: (text: string) => Uint8Array
}

let serial = 0

/** A good token of this signer, but for the changes. No two are the same. */
export function craft(signer: Signer, changes: Changes = {}): string {
  const { claims, rawClaims = {}, payloadText, headerText, sign = signer.sign } = changes
  const raw = Object.entries(rawClaims)
  const payload = { ...goodClaims(signer), ...claims, ...Object.fromEntries(raw.map(([name]) => [name])) }
  const extra = raw.map(([name, text]) => `,${JSON.stringify(name)}:${text}`).join('')
  const header = { alg: signer.alg, kid: signer.kid, ...changes.header }
  const signed = [
    headerText ?? JSON.stringify(header),
    payloadText ?? JSON.stringify(payload).replace(/\}$/, `${extra}}`),
  ]
    .map(base64url)
    .join('.')
  return `${signed}.${base64url(sign(signed))}`
}

export function goodClaims({ issuer }: Signer): Record<string, unknown> {
  serial += 1
  return { jti: serial, iss: issuer, aud: audience, sub: `owner-${serial}`, iat: seconds, exp: seconds + 900 }
}

export function base64url(bytes: string | Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
