import { AppError } from '../errors.ts'
import type { Untrusted } from './keys/json-object.ts'

/** Claims that this server requires besides identity. Each is off unless configured. */
export type Demands = {
  /** `scope` must contain each of these (RFC 8693, section 4.2). */
  readonly scopes: readonly string[]
  readonly verifiedEmail: boolean
}

export const noDemands: Demands = { scopes: [], verifiedEmail: false }

/**
 * Checks the claims of a verified token against the demands of this server.
 * Throws `forbidden`: the caller is known but not allowed.
 */
export function checkDemands(claims: Untrusted, { scopes, verifiedEmail }: Demands): void {
  const granted = typeof claims.scope === 'string' ? claims.scope.split(' ') : []
  if (!scopes.every((scope) => granted.includes(scope)))
    throw new AppError('forbidden', `Your token lacks a scope that is needed here: ${scopes.join(' ')}.`, {
      reason: 'scope_missing',
      headers: {
        // RFC 6750, section 3.1
        'www-authenticate': `Bearer realm="docket", error="insufficient_scope", scope="${scopes.join(' ')}"`,
      },
    })
  if (verifiedEmail && !isEmailVerified(claims))
    throw new AppError('forbidden', 'Verify your e-mail address, then get a new token.', {
      reason: 'email_not_verified',
    })
}

/** Better Auth's claim or OpenID Connect's. Each one that is present must be true: two that differ are no proof. */
function isEmailVerified({ emailVerified, email_verified }: Untrusted): boolean {
  const told = [emailVerified, email_verified].filter((claim) => claim !== undefined)
  return told.length > 0 && told.every((claim) => claim === true)
}
