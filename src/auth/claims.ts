import type { Untrusted } from './keys/json-object.ts'
import { refusal } from './refusal.ts'

/** The rules that the claims of a token must meet. Times in seconds. */
export type ClaimsPolicy = {
  readonly issuers: readonly string[]
  readonly audiences: readonly string[]
  readonly nowSeconds: number
  readonly leewaySeconds: number
  /** How far ahead `exp` may lie. */
  readonly horizonSeconds: number
}

export type CheckedClaims = { readonly subject: string; readonly issuer: string; readonly expiresAt: number }

/**
 * 1 to 255 code points, not all blank. No controls, invisible format characters, lone surrogates or line separators.
 */
const printable = /^(?=.*\S)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,255}$/u

/**
 * Checks the claims of a token whose signature is valid (RFC 7519, section 4.1). `iss`, `aud`, `sub` and `exp` are
 * required.
 * Throws `token_expired` when age is the first fault, otherwise `invalid_token`.
 */
export function checkClaims(claims: Untrusted, policy: ClaimsPolicy): CheckedClaims {
  const { iss, aud, sub, exp, nbf, iat } = claims
  const { nowSeconds, leewaySeconds, horizonSeconds } = policy
  if (iss === undefined || aud === undefined || sub === undefined || exp === undefined)
    throw refusal('claim_missing')

  if (typeof iss !== 'string' || !policy.issuers.includes(iss)) throw refusal('issuer_unknown')

  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!audiences.every((one) => typeof one === 'string')) throw refusal('audience_malformed')
  if (!audiences.some((one) => policy.audiences.includes(one))) throw refusal('audience_not_ours')

  if (!isTime(exp)) throw refusal('time_malformed')
  if (nbf !== undefined && !isTime(nbf)) throw refusal('time_malformed')
  if (iat !== undefined && !isTime(iat)) throw refusal('time_malformed')
  if (nowSeconds >= exp + leewaySeconds) throw refusal('expired')
  if (exp > nowSeconds + horizonSeconds + leewaySeconds) throw refusal('expiry_too_far')
  if (nbf !== undefined && nbf > nowSeconds + leewaySeconds) throw refusal('not_yet_valid')
  if (iat !== undefined && iat > nowSeconds + leewaySeconds) throw refusal('issued_in_future')

  if (typeof sub !== 'string' || !printable.test(sub)) throw refusal('subject_malformed')
  return { subject: sub, issuer: iss, expiresAt: exp }
}

/** JSON can contain infinity (`1e999`), which no clock ever passes. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
