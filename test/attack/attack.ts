import type { Signer } from './signer.ts'

export type RefusalCode = 'unauthenticated' | 'invalid_token' | 'token_expired' | 'malformed_request'

/** What the contract lists for each refusal: the status, and the challenge of RFC 6750, section 3. */
export const refusals: Readonly<Record<RefusalCode, { status: number; challenge: string | null }>> = {
  unauthenticated: { status: 401, challenge: 'Bearer realm="docket"' },
  invalid_token: {
    status: 401,
    challenge:
      'Bearer realm="docket", error="invalid_token", error_description="The access token is not valid here"',
  },
  token_expired: {
    status: 401,
    challenge: 'Bearer realm="docket", error="invalid_token", error_description="The access token expired"',
  },
  malformed_request: { status: 400, challenge: null },
}

/** One attempt, and how it has to end. */
export type Attack = {
  readonly name: string
  readonly code: RefusalCode
  /**
   * What the log has to give as the reason, or several with a bar between where chance decides; undefined for what
   * the HTTP parser refuses, which the app never sees.
   */
  readonly reason: string | undefined
  /** Header lines as they go over the wire, made from a good token that nobody used yet. */
  readonly lines: (good: string) => readonly string[]
  readonly method?: string
  readonly target?: (good: string) => string
  readonly body?: (good: string) => string
}

/** Attempts of one kind against this signer's tokens. */
export type Attacks = (signer: Signer) => readonly Attack[]

const codes: Readonly<Record<string, RefusalCode>> = {
  no_authorization: 'unauthenticated',
  not_bearer: 'unauthenticated',
  two_authorization_headers: 'malformed_request',
  expired: 'token_expired',
}

/** A token, in the one usual place, that is refused for this reason. */
export function forged(name: string, reason: string, make: (good: string) => string): Attack {
  return sent(name, reason, (good) => [`Authorization: Bearer ${make(good)}`])
}

/** Header lines that are refused for this reason. */
export function sent(name: string, reason: string | undefined, lines: Attack['lines']): Attack {
  const code = reason === undefined ? 'malformed_request' : (codes[reason] ?? 'invalid_token')
  return { name, code, reason, lines }
}

/** The three parts of a token, in their encoding. */
export function partsOf(token: string): [header: string, payload: string, signature: string] {
  const [header = '', payload = '', signature = ''] = token.split('.')
  return [header, payload, signature]
}

/** The token with its signature replaced, given as bytes. */
export function withSignature(token: string, change: (signature: Buffer) => Uint8Array): string {
  const [header, payload, signature] = partsOf(token)
  const changed = Buffer.from(change(Buffer.from(signature, 'base64url')))
  return `${header}.${payload}.${changed.toString('base64url')}`
}
