import { AppError, type ErrorCode } from '../errors.ts'

/** The reasons for the log, each with the code that the caller gets. Roughly in the order of the checks. */
const codes = {
  two_authorization_headers: 'malformed_request',
  no_authorization: 'unauthenticated',
  not_bearer: 'unauthenticated',
  too_long: 'invalid_token',
  not_a_jwt: 'invalid_token',
  not_canonical: 'invalid_token',
  header_unreadable: 'invalid_token',
  header_member_forbidden: 'invalid_token',
  type_not_jwt: 'invalid_token',
  payload_unreadable: 'invalid_token',
  claim_missing: 'invalid_token',
  issuer_differs: 'invalid_token',
  issuer_unknown: 'invalid_token',
  algorithm_not_allowed: 'invalid_token',
  key_id_malformed: 'invalid_token',
  keys_unavailable: 'unavailable',
  key_not_read_yet: 'unavailable',
  checks_used_up: 'rate_limited',
  key_unknown: 'invalid_token',
  signature_wrong: 'invalid_token',
  audience_malformed: 'invalid_token',
  audience_not_ours: 'invalid_token',
  time_malformed: 'invalid_token',
  expired: 'token_expired',
  expiry_too_far: 'invalid_token',
  not_yet_valid: 'invalid_token',
  issued_in_future: 'invalid_token',
  subject_malformed: 'invalid_token',
} as const satisfies Record<string, ErrorCode>

export type RefusalReason = keyof typeof codes

/** The only details that a caller sees in production. `invalid_token` does not reveal which check failed. */
const details: Record<(typeof codes)[RefusalReason], string> = {
  malformed_request: 'Send exactly one Authorization header.',
  unauthenticated: 'Sign in and send the token as "Authorization: Bearer <token>".',
  invalid_token: 'The token was not accepted; sign in again to get another one.',
  token_expired: 'The token has expired; get a fresh one from the sign-in server and repeat the request.',
  rate_limited: 'Too many tokens have to be checked at the moment; repeat the request in a second.',
  unavailable: 'The keys that tokens are checked with cannot be read now; repeat the request in a moment.',
}

/**
 * Remedies for the failures that users of Better Auth really meet, for the log and for docs/SECURITY.md. A reason
 * without an entry here is not a set-up mistake: nobody should have sent that token.
 */
export const refusalAdvice: Readonly<Partial<Record<RefusalReason, string>>> = {
  not_a_jwt:
    'This is no JWT; often it is the session token. Send what GET /api/auth/token of the Better Auth server answers (its jwt plugin).',
  algorithm_not_allowed:
    'A key set checks EdDSA, ES256, ES512, PS256 and RS256, AUTH_JWT_SECRET checks HS256 only. The jwt plugin of Better Auth never signs with HS256: set BETTER_AUTH_URL instead of a secret.',
  issuer_differs:
    'The token names the right host but with another scheme, path or slash. Set AUTH_ISSUER to exactly the iss of the token; Better Auth uses the origin of its baseURL.',
  issuer_unknown:
    'The token was made by a server this one does not trust. Compare BETTER_AUTH_URL or AUTH_ISSUER with the baseURL of the Better Auth server: localhost and 127.0.0.1 differ.',
  audience_not_ours:
    'The token was made for another API. Set AUTH_AUDIENCE to the aud of the token; Better Auth uses the origin of its baseURL unless jwt.audience is set.',
  key_unknown:
    'No key of the set has this key id. Check that AUTH_JWKS_URL belongs to the server that signs, and sign in again when its database was reset.',
  key_not_read_yet:
    'Our copy of the key set is older than this token and lacks its key id. The client repeats: the set is read again within 2 s, or within 30 s while its address fails. If this stays, somebody sends made-up key ids.',
  keys_unavailable:
    'The key set has not been read. AUTH_JWKS_URL must answer 200 with JSON: a 404 means a wrong path or no jwt plugin, HTML means a web page or a proxy answers.',
  expired:
    'Better Auth tokens live for 15 minutes. The client has to fetch a new one from /api/auth/token when it gets token_expired.',
}

/** The failure of a refused token, with reason and advice for the request's log line. Write `throw refusal(…)`. */
export function refusal(reason: RefusalReason, retryAfterSeconds?: number): AppError {
  const code = codes[reason]
  return new AppError(code, details[code], {
    reason,
    note: { advice: refusalAdvice[reason] },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  })
}

/** The same failure with the advice in its detail. For development only: the advice reveals which check failed. */
export function advised(error: AppError): AppError {
  const { code, detail, reason, note, retryAfterSeconds } = error
  if (note?.advice === undefined) return error
  return new AppError(code, `${detail} ${note.advice}`, {
    note,
    ...(reason !== undefined && { reason }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  })
}
