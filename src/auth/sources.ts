import { isUnprotected } from '../config/values.ts'
import type { Config, Secrets } from '../config.ts'
import type { KeySource } from './access-token.ts'
import type { BuiltInIssuer } from './built-in/built-in-issuer.ts'
import { remoteKeys } from './keys/key-set.ts'

/** The sources of keys in the configuration, or the built-in issuer when there is one. */
export function keySources(config: Config, secrets: Secrets, issuer?: BuiltInIssuer): KeySource[] {
  const sources: KeySource[] = []
  if (config.keySet !== undefined) {
    const { url, issuers, audiences, allowHttp } = config.keySet
    const fetchKeys = remoteKeys(url, { allowHttp })
    sources.push({ kind: 'key-set', issuers, audiences, fetchKeys, label: 'key set' })
  }
  if (config.sharedSecret !== undefined && secrets.jwtSecret !== undefined) {
    const { issuer, audiences } = config.sharedSecret
    sources.push({ kind: 'secret', issuers: [issuer], audiences, secret: secrets.jwtSecret.reveal() })
  }
  if (issuer !== undefined)
    sources.push({
      kind: 'key-set',
      issuers: [issuer.issuer],
      audiences: [issuer.audience],
      fetchKeys: issuer.fetchKeys,
      label: 'built-in issuer',
    })
  return sources
}

/** How a person gets a token where there is no demo user: the middle of a sentence. */
export function howToGetToken({ betterAuthUrl, keySet }: Config): string {
  if (betterAuthUrl !== undefined) {
    // An internal host name must not leak to callers, and does not resolve for them.
    const where = isUnprotected(new URL(betterAuthUrl)) ? '' : betterAuthUrl
    return `get a token from your Better Auth (GET ${where}/api/auth/token, signed in there)`
  }
  if (keySet !== undefined) return `get a token from the server that signs for ${keySet.issuers[0]}`
  return 'sign a token with the shared secret (AUTH_JWT_SECRET, HS256)'
}
