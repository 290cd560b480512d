import { createSecretKey, hash } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from 'jose'
import { isObject, type Untrusted } from './json-object.ts'

/** Algorithms of keys in a key set (RFC 7518, RFC 8037). */
export const keySetAlgorithms = ['EdDSA', 'ES256', 'ES512', 'PS256', 'RS256'] as const
/** Algorithms of a shared secret. Never mix the two lists: the mixture is the key-confusion attack. */
export const secretAlgorithms = ['HS256'] as const

export type Algorithm = (typeof keySetAlgorithms)[number] | (typeof secretAlgorithms)[number]

/** One key for one algorithm. `live` turns false forever when the key leaves its set or another key takes its name. */
export type VerificationKey = {
  readonly cryptoKey: CryptoKey
  /** RFC 7638 thumbprint. It tells whether two keys of the same name are the same key. */
  readonly thumbprint: string
  live: boolean
}

/** The reasons why a key of a set is ignored. */
export type IgnoredReason =
  | 'not_an_object'
  | 'symmetric'
  | 'private'
  | 'key_id_malformed'
  | 'not_for_signatures'
  | 'algorithm_not_supported'
  | 'rsa_size'
  | 'rsa_exponent'
  | 'unreadable'
  | 'duplicate'
  | 'too_many_keys'

export type ImportedKeys = {
  /** By `keyName`. */
  readonly keys: ReadonlyMap<string, VerificationKey>
  readonly ignored: readonly { readonly reason: IgnoredReason; readonly kid: string | undefined }[]
}

const mostKeys = 100
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const rsaBits = { least: 2048, most: 8192 }

/** True for a key id that is looked up: 1 to 128 printable ASCII characters. */
export function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && /^[\x20-\x7e]{1,128}$/.test(value)
}

/** The name of a key in a set. An algorithm contains no space, so the pair is unambiguous. */
export function keyName(algorithm: Algorithm, kid: string): string {
  return `${algorithm} ${kid}`
}

/** A digest of a key id. It is enough to find the key in the log, and the sender cannot write text through it. */
export function keyIdHash(kid: unknown): string | undefined {
  return typeof kid === 'string' ? hash('sha256', kid).slice(0, 12) : undefined
}

/**
 * The usable public keys of a JWK set (RFC 7517), from its first 100 entries. A usable key:
 * - has a key id and is for signatures
 * - has a supported algorithm
 * - if RSA, has 2048 to 8192 bits and an odd exponent of at least 3
 *
 * Every other key is ignored and reported. Throws nothing.
 */
export async function importKeys(jwks: readonly unknown[]): Promise<ImportedKeys> {
  const keys = new Map<string, VerificationKey>()
  const ignored: { reason: IgnoredReason; kid: string | undefined }[] = []
  for (const jwk of jwks.slice(0, mostKeys)) {
    const kid = isObject(jwk) ? keyIdHash(jwk.kid) : undefined
    const usable = usableKey(jwk)
    if (typeof usable === 'string') {
      ignored.push({ reason: usable, kid })
      continue
    }
    for (const algorithm of usable.algorithms) {
      const name = keyName(algorithm, usable.kid)
      const key = keys.has(name) ? 'duplicate' : await importKey(usable.jwk, algorithm)
      if (typeof key === 'string') ignored.push({ reason: key, kid })
      else keys.set(name, key)
    }
  }
  if (jwks.length > mostKeys) ignored.push({ reason: 'too_many_keys', kid: undefined })
  return { keys, ignored }
}

/**
 * A shared secret as a key for HS256. It cannot be exported. Throws when it is shorter than the hash (RFC 7518,
 * section 3.2).
 */
export function secretKey(secret: Uint8Array): VerificationKey {
  if (secret.length < 32) throw new RangeError('a shared secret needs at least 32 bytes')
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  return {
    cryptoKey: createSecretKey(secret).toCryptoKey(hmac, false, ['verify']),
    thumbprint: 'secret',
    live: true,
  }
}

type UsableKey = { readonly kid: string; readonly jwk: JWK; readonly algorithms: readonly Algorithm[] }

function usableKey(jwk: unknown): UsableKey | IgnoredReason {
  if (!isObject(jwk)) return 'not_an_object'
  if (jwk.kty === 'oct') return 'symmetric'
  if (privateMembers.some((name) => Object.hasOwn(jwk, name))) return 'private'
  if (!isKeyId(jwk.kid)) return 'key_id_malformed'
  if (jwk.use !== undefined && jwk.use !== 'sig') return 'not_for_signatures'
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify')))
    return 'not_for_signatures'
  const algorithms = possibleAlgorithms(jwk).filter((name) => jwk.alg === undefined || jwk.alg === name)
  if (algorithms.length === 0) return 'algorithm_not_supported'
  return { kid: jwk.kid, jwk: publicMembers(jwk), algorithms }
}

function possibleAlgorithms({ kty, crv }: Untrusted): readonly Algorithm[] {
  if (kty === 'OKP' && crv === 'Ed25519') return ['EdDSA']
  if (kty === 'EC' && crv === 'P-256') return ['ES256']
  if (kty === 'EC' && crv === 'P-521') return ['ES512']
  if (kty === 'RSA') return ['PS256', 'RS256']
  return []
}

function publicMembers(jwk: Untrusted): JWK {
  const members = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const
  return Object.fromEntries(
    members.flatMap((name) => (typeof jwk[name] === 'string' ? [[name, jwk[name]]] : [])),
  )
}

async function importKey(jwk: JWK, algorithm: Algorithm): Promise<VerificationKey | IgnoredReason> {
  try {
    const cryptoKey = await importJWK(jwk, algorithm)
    if (cryptoKey instanceof Uint8Array) return 'symmetric'
    const bits =
      'modulusLength' in cryptoKey.algorithm ? Number(cryptoKey.algorithm.modulusLength) : undefined
    if (bits !== undefined && !(bits >= rsaBits.least && bits <= rsaBits.most)) return 'rsa_size'
    if (bits !== undefined && !isRsaExponent(cryptoKey.algorithm)) return 'rsa_exponent'
    return { cryptoKey, thumbprint: await calculateJwkThumbprint(jwk), live: true }
  } catch {
    return 'unreadable'
  }
}

/**
 * RFC 8017, section 3.1: the exponent is odd and at least 3. With an exponent of 1 the padded hash of a text is its
 * own signature, so anybody could sign. Neither OpenSSL nor `jose` refuses such a key.
 */
function isRsaExponent(parameters: object): boolean {
  const bytes = 'publicExponent' in parameters ? parameters.publicExponent : undefined
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) return false
  const exponent = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  return exponent >= 3n && exponent % 2n === 1n
}
