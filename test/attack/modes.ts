import { answerJson, startEndpoint } from '../support/key-endpoint.ts'
import type { IssuerAlgorithm } from '../support/token-issuer.ts'
import { audience, holderOfSecret, keyOfSet, keySetIssuer, type Signer, secretIssuer } from './signer.ts'

const all: readonly IssuerAlgorithm[] = ['EdDSA', 'ES256', 'ES512', 'PS256', 'RS256']

/** Every way to tell Docket whose tokens to trust: the algorithms of the key set, and whether there is a secret. */
export const modes: readonly { mode: string; algorithms: readonly IssuerAlgorithm[]; shared: boolean }[] = [
  { mode: 'a key set with one algorithm', algorithms: ['EdDSA'], shared: false },
  { mode: 'a key set with several algorithms', algorithms: all, shared: false },
  { mode: 'a shared secret', algorithms: [], shared: true },
  { mode: 'a key set beside a shared secret', algorithms: ['ES256', 'RS256'], shared: true },
]

/** Signers of such a mode, the settings that trust them, and the address of their key set. */
export async function openMode({ algorithms, shared }: (typeof modes)[number]) {
  const keys = algorithms.map(keyOfSet)
  const secret = 'a shared secret of more than 32 bytes, in text'
  const body = JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
  const endpoint = await startEndpoint((_, response) => answerJson(response, body))
  const hasKeys = keys.length > 0
  const signers: readonly Signer[] = [...keys, ...(shared ? [holderOfSecret(secret)] : [])]
  return {
    signers,
    endpoint,
    environment: {
      AUTH_JWKS_URL: hasKeys ? endpoint.url : '',
      AUTH_ISSUER: hasKeys ? keySetIssuer : '',
      AUTH_AUDIENCE: audience,
      ...(shared && { AUTH_JWT_SECRET: secret, AUTH_JWT_ISSUER: secretIssuer }),
    },
  }
}
