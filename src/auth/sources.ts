import type { Config, Secrets } from '../config.ts'
import type { KeySource } from './access-token.ts'
import type { BuiltInIssuer } from './built-in/built-in-issuer.ts'
import { remoteKeys } from './keys/key-set.ts'

/** Who may sign tokens here, from the configuration; the built-in issuer when there is one. */
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
