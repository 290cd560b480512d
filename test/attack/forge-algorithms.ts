import { createHash, type KeyObject } from 'node:crypto'
import { type Attack, forged, partsOf } from './attack.ts'
import { craft, hmac, keyOfSet, keySetIssuer, type Signer, secretIssuer } from './signer.ts'

const ofKeySets = ['EdDSA', 'ES256', 'ES512', 'PS256', 'RS256']

/** `none` as it was written in attacks on other libraries, and as it could be read for it. */
const nones = ['none', 'None', 'NONE', 'nOnE', 'none ', ' none', 'n\u043ene', 'none\u0000', 'no\u0000ne']

const others = [
  ...['HS256', 'HS384', 'HS512', ...ofKeySets, 'RS384', 'RS512', 'PS384', 'PS512', 'ES384', 'ES256K'],
  ...['Ed25519', 'Ed448', 'RS1', 'MD5', 'dir', 'A256KW', 'RSA-OAEP', 'RSA1_5', 'ECDH-ES'],
  ...['PBES2-HS256+A128KW', 'A128GCMKW', 'ML-DSA-44', 'eddsa', 'hs256', 'es256', 'rs256', 'HS256 ', ' EdDSA'],
  ...['EdDSA\u0000', 'HS256,EdDSA', 'SHA256withRSA', 'http://www.w3.org/2000/09/xmldsig#hmac-sha1', '*', ''],
]

const noAlgorithms = [undefined, null, 0, true, [], ['EdDSA'], ['HS256'], {}, { name: 'HS256' }]

/** Tokens that name another algorithm than the one their key is for. */
export function algorithms(signer: Signer): Attack[] {
  const { kind, alg: own } = signer
  // The list for the source of keys is closed; within it, a key is for one algorithm only.
  const reason = (alg: unknown) =>
    kind === 'key-set' && ofKeySets.includes(String(alg)) && typeof alg === 'string'
      ? 'key_unknown'
      : 'algorithm_not_allowed'
  return [
    ...nones.flatMap((alg) => [
      forged(`alg ${alg} without a signature`, 'not_a_jwt', () =>
        craft(signer, { header: { alg }, sign: () => Buffer.alloc(0) }),
      ),
      forged(`alg ${alg} without the third part`, 'not_a_jwt', () =>
        partsOf(craft(signer, { header: { alg } }))
          .slice(0, 2)
          .join('.'),
      ),
      forged(`alg ${alg} with some signature`, reason(alg), () =>
        craft(signer, { header: { alg }, sign: () => Buffer.alloc(1) }),
      ),
      forged(`alg ${alg} with a good signature`, reason(alg), () => craft(signer, { header: { alg } })),
    ]),
    ...[...others, ...noAlgorithms]
      .filter((alg) => alg !== own)
      .map((alg) =>
        forged(`alg ${JSON.stringify(alg)}`, reason(alg), () => craft(signer, { header: { alg } })),
      ),
    forged('alg twice, none last', 'algorithm_not_allowed', () =>
      craft(signer, { headerText: `{"alg":"${own}","kid":"${signer.kid ?? 'k'}","alg":"none"}` }),
    ),
    forged('ALG in the place of alg', 'algorithm_not_allowed', () =>
      craft(signer, { header: { alg: undefined, ALG: own } }),
    ),
  ]
}

/** What is public of a key, in every form that a library might take for a secret. */
function publicForms(key: KeyObject, kid: string): Record<string, string | Buffer> {
  const jwk = key.export({ format: 'jwk' })
  const pem = String(key.export({ format: 'pem', type: 'spki' }))
  const der = key.export({ format: 'der', type: 'spki' })
  const rsa = key.asymmetricKeyType === 'rsa'
  return {
    'its JWK': JSON.stringify(jwk),
    'its JWK with kid': JSON.stringify({ ...jwk, kid }),
    'its key set': JSON.stringify({ keys: [jwk] }),
    'its PEM': pem,
    'its PEM without the last line break': pem.trimEnd(),
    'its PEM with CRLF': pem.replaceAll('\n', '\r\n'),
    'the body of its PEM': pem.replaceAll(/-----[^\n]*\n|\n/g, ''),
    'its DER': der,
    'the hash of its DER': createHash('sha256').update(der).digest(),
    ...(typeof jwk.x === 'string' && { 'its x as text': jwk.x, 'its x': Buffer.from(jwk.x, 'base64url') }),
    ...(typeof jwk.n === 'string' && { 'its n as text': jwk.n, 'its n': Buffer.from(jwk.n, 'base64url') }),
    ...(rsa && { 'its PKCS #1 PEM': key.export({ format: 'pem', type: 'pkcs1' }) }),
    ...(rsa && { 'its PKCS #1 DER': key.export({ format: 'der', type: 'pkcs1' }) }),
    'its key id': kid,
  }
}

const easySecrets = {
  'an empty secret': '',
  'a zero byte': Buffer.alloc(1),
  '32 zero bytes': Buffer.alloc(32),
  'the word secret': 'secret',
  'the issuer': keySetIssuer,
  'the other issuer': secretIssuer,
}

const strangers = (['EdDSA', 'ES256', 'RS256'] as const).map(keyOfSet)

/** A key taken for one of the other kind, both ways, and an issuer taken for one that another key speaks for. */
export function keyConfusion(signer: Signer): Attack[] {
  const { publicKey, secret, kid = 'k' } = signer
  if (publicKey === undefined || secret !== undefined)
    return [
      ...Object.entries(easySecrets).map(([name, key]) =>
        forged(`HS256 by ${name}`, 'signature_wrong', () => craft(signer, { sign: hmac(key) })),
      ),
      ...strangers.flatMap((stranger) => [
        forged(`${stranger.alg} by a stranger`, 'algorithm_not_allowed', () =>
          craft(stranger, { claims: { iss: signer.issuer } }),
        ),
        forged(`${stranger.alg} by a stranger who says HS256`, 'signature_wrong', () =>
          craft(stranger, { claims: { iss: signer.issuer }, header: { alg: 'HS256' } }),
        ),
        forged(`HS256 by the public ${stranger.alg} key of a stranger`, 'signature_wrong', () =>
          craft(signer, { sign: hmac(stranger.publicKey.export({ format: 'der', type: 'spki' })) }),
        ),
      ]),
      ...([384, 512] as const).map((bits) =>
        forged(`HS256 by name, HS${bits} by signature`, 'signature_wrong', () =>
          craft(signer, { sign: hmac(secret ?? '', bits) }),
        ),
      ),
    ]
  return [
    ...Object.entries({ ...publicForms(publicKey, kid), ...easySecrets }).flatMap(([name, key]) =>
      ([256, 384, 512] as const).map((bits) =>
        forged(`HS${bits} by ${name}`, 'algorithm_not_allowed', () =>
          craft(signer, { header: { alg: `HS${bits}` }, sign: hmac(key, bits) }),
        ),
      ),
    ),
    ...Object.entries(publicForms(publicKey, kid)).map(([name, key]) =>
      forged(`${signer.alg} by name, signed as HS256 by ${name}`, 'signature_wrong', () =>
        craft(signer, { sign: hmac(key) }),
      ),
    ),
    ...strangers.map((stranger) =>
      forged(
        `${stranger.alg} by a stranger under our key id`,
        stranger.alg === signer.alg ? 'signature_wrong' : 'key_unknown',
        () => craft(stranger, { claims: { iss: signer.issuer }, header: { kid } }),
      ),
    ),
  ]
}

/** Each signer in the place of each other: an issuer is bound to its own kind of key, a key id to its key. */
export function exchanges(signers: readonly Signer[]): Attack[] {
  return signers.flatMap((signer) =>
    signers.filter((other) => other !== signer).flatMap((other) => exchange(signer, other)),
  )
}

function exchange(signer: Signer, other: Signer): Attack[] {
  const name = (what: string) => `${signer.alg} for ${other.alg}: ${what}`
  const claims = { iss: other.issuer }
  const crossing = signer.kind !== other.kind
  return [
    forged(name('the issuer or the key id'), crossing ? 'algorithm_not_allowed' : 'key_unknown', () =>
      craft(signer, { claims, header: crossing ? {} : { kid: other.kid } }),
    ),
    forged(name('everything but the signature'), 'signature_wrong', () =>
      craft(other, { sign: signer.sign }),
    ),
    ...(other.kind === 'secret' && signer.publicKey !== undefined
      ? Object.entries(publicForms(signer.publicKey, signer.kid ?? '')).map(([form, key]) =>
          forged(name(`HS256 by ${form}`), 'signature_wrong', () =>
            craft(other, { header: { kid: signer.kid }, sign: hmac(key) }),
          ),
        )
      : []),
  ]
}
