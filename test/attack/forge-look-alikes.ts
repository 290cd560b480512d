import { randomBytes } from 'node:crypto'
import { type Attack, forged } from './attack.ts'
import { base64url, craft, hmac, type Signer, seconds } from './signer.ts'

/** What Better Auth hands out beside access tokens, some of it signed by the very key that signs those. */
export function lookAlikes(signer: Signer): Attack[] {
  const { issuer } = signer
  const session = randomBytes(24).toString('base64url')
  const user = { id: 'u1', email: 'ann@example.com', emailVerified: true, name: 'Ann' }
  const bare = { iss: undefined, aud: undefined, sub: undefined }
  const hs256 = { alg: 'HS256', kid: undefined }
  return [
    forged('a session token', 'not_a_jwt', () => session),
    forged('a signed session cookie', 'not_a_jwt', () => `${session}.${randomBytes(32).toString('base64')}`),
    forged('a signed session cookie as a browser sends it', 'not_a_jwt', () =>
      encodeURIComponent(`${session}.${randomBytes(32).toString('base64')}`),
    ),
    forged('a session cookie that holds an encrypted token', 'not_a_jwt', () => {
      const header = base64url(JSON.stringify({ alg: 'dir', enc: 'A256CBC-HS512', kid: 'k' }))
      return `${header}..${base64url(randomBytes(16))}.${base64url(randomBytes(64))}.${base64url(randomBytes(32))}`
    }),
    forged('an API key', 'not_a_jwt', () => `ba_${randomBytes(32).toString('hex')}`),
    forged('a one-time token', 'not_a_jwt', () => randomBytes(16).toString('hex')),
    forged('the session cache, under the same key', 'type_not_jwt', () =>
      craft(signer, {
        header: { typ: 'better-auth.session-cache+jwt' },
        claims: { session: { token: session }, user },
      }),
    ),
    forged('a cookie cache', 'claim_missing', () =>
      craft(signer, {
        header: hs256,
        claims: { ...bare, session: { token: session }, user },
        sign: hmac(session),
      }),
    ),
    forged('an e-mail verification', 'claim_missing', () =>
      craft(signer, { header: hs256, claims: { ...bare, email: user.email }, sign: hmac(session) }),
    ),
    forged('an e-mail verification under our own key', 'claim_missing', () =>
      craft(signer, { claims: { ...bare, email: user.email, updateTo: 'eve@example.com' } }),
    ),
    forged('an ID token for a client', 'audience_not_ours', () =>
      craft(signer, { claims: { aud: 'client-1', nonce: 'n', auth_time: seconds, email: user.email } }),
    ),
    forged('an ID token of the OAuth provider', 'issuer_differs', () =>
      craft(signer, { claims: { iss: `${issuer}/api/auth`, aud: 'client-1' } }),
    ),
    forged('an access token of the OAuth provider', 'type_not_jwt', () =>
      craft(signer, { header: { typ: 'at+jwt' }, claims: { iss: `${issuer}/api/auth`, scope: 'openid' } }),
    ),
    forged('a logout token', 'type_not_jwt', () => craft(signer, { header: { typ: 'logout+jwt' } })),
    forged('a client assertion', 'issuer_unknown', () =>
      craft(signer, { claims: { iss: 'client-1', sub: 'client-1', aud: `${issuer}/api/auth/oauth2/token` } }),
    ),
    forged('a state parameter', 'claim_missing', () =>
      craft(signer, { claims: { iss: undefined, aud: undefined, exp: undefined, callbackURL: '/' } }),
    ),
  ]
}
