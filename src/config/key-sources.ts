import type { Settings } from './settings.ts'
import { keySetUrl, originUrl, unprotectedKeySetUrl, unprotectedOriginUrl } from './values.ts'
import { variables } from './variables.ts'

/** `issuers` and `audiences` are never empty. */
export type KeySetSource = {
  readonly url: string
  readonly issuers: readonly string[]
  readonly audiences: readonly string[]
  /** The key set URL may use `http:` to another machine. Anyone who can change that traffic can forge every token. */
  readonly allowHttp?: boolean
}

export type SharedSecretSource = { readonly issuer: string; readonly audiences: readonly string[] }

const { betterAuthUrl, jwksUrl, allowHttpKeys, issuer, audience, jwtSecret, jwtIssuer } = variables

/** Reads the key sources: a key set, a shared secret, both, or (never in production) the built-in issuer. */
export function readKeySources(settings: Settings, production: boolean) {
  const allowHttp = settings.read(allowHttpKeys)
  const origin = settings.read(betterAuthUrl, allowHttp ? unprotectedOriginUrl : originUrl)
  const keyUrl = settings.read(jwksUrl, allowHttp ? unprotectedKeySetUrl : keySetUrl)
  const url = keyUrl ?? (origin && `${origin}/api/auth/jwks`)
  const issuers = settings.read(issuer) ?? (origin && [origin])
  const named = settings.read(audience)
  const audiences = named ?? (origin && [origin])
  const secret = settings.read(jwtSecret)
  const secretIssuer = settings.read(jwtIssuer)
  const hasKeySet = settings.has(betterAuthUrl) || settings.has(jwksUrl)
  const hasSecret = settings.has(jwtSecret)

  if (settings.has(jwtIssuer)) settings.require(jwtSecret, 'AUTH_JWT_ISSUER is set and signs with it')
  if (hasKeySet || hasSecret) refuseHalves(settings, hasKeySet)
  else refuseNone(settings, production)
  // With an issuer on both sides, a holder of the shared secret could sign tokens for the key set's users.
  if (hasKeySet && secretIssuer && issuers?.includes(secretIssuer))
    settings.refuse(
      jwtIssuer,
      'must not be an issuer of the key set: each issuer is bound to one kind of key',
    )

  const keySet = url && issuers && audiences && { url, issuers, audiences, ...(allowHttp && { allowHttp }) }
  const sharedSecret = secret && secretIssuer && named && { issuer: secretIssuer, audiences: named }
  return {
    config: {
      ...(origin && { betterAuthUrl: origin }),
      ...(keySet && { keySet }),
      ...(sharedSecret && { sharedSecret }),
      builtInIssuer: !production && !hasKeySet && !hasSecret,
    },
    secrets: { ...(secret && { jwtSecret: secret }) },
  }
}

function refuseHalves(settings: Settings, hasKeySet: boolean): void {
  if (!hasKeySet && settings.has(issuer))
    settings.refuse(
      issuer,
      'names issuers of a key set, and none is set: set BETTER_AUTH_URL or AUTH_JWKS_URL',
    )
  if (hasKeySet && !settings.has(betterAuthUrl)) {
    settings.require(issuer, 'without BETTER_AUTH_URL, AUTH_JWKS_URL does not tell whose keys these are')
    settings.require(audience, 'without BETTER_AUTH_URL, AUTH_JWKS_URL does not tell whom its tokens are for')
  }
  if (settings.has(jwtSecret)) {
    settings.require(jwtIssuer, 'AUTH_JWT_SECRET does not tell who signs with it')
    settings.require(audience, 'AUTH_JWT_SECRET does not tell whom its tokens are for')
  }
}

function refuseNone(settings: Settings, production: boolean): void {
  if (production)
    settings.require(
      betterAuthUrl,
      'production needs to know whose tokens to trust; set it, or AUTH_JWKS_URL, or AUTH_JWT_SECRET',
    )
  else
    for (const variable of [issuer, audience])
      if (settings.has(variable))
        settings.refuse(variable, 'is set, but no key source is: set BETTER_AUTH_URL or AUTH_JWKS_URL too')
}
