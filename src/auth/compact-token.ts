import { isObject, type Untrusted } from './keys/json-object.ts'
import { refusal } from './refusal.ts'

const longestTokenBytes = 8192

/** Members that change what the signature covers, or point at keys that the sender chose (RFC 7515, 7516, 7797). */
const forbiddenMembers = ['crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c', 'zip', 'cty', 'enc'] as const

/** The two readable parts of a well-formed token. Nothing in it is verified. */
export type CompactToken = { readonly header: Untrusted; readonly claims: Untrusted }

/**
 * The token of the one `Authorization: Bearer` header (RFC 6750, section 2.1), at most 8 kB long.
 * Throws `malformed_request`, `unauthenticated` or `invalid_token`.
 */
export function bearerToken(values: readonly string[]): string {
  const [value] = values
  if (value === undefined) throw refusal('no_authorization')
  if (values.length > 1) throw refusal('two_authorization_headers')
  const token = /^bearer +([^ ].*)$/is.exec(value)?.[1]
  if (token === undefined) throw refusal('not_bearer')
  if (token.length > longestTokenBytes) throw refusal('too_long')
  return token
}

/**
 * Reads a JWS in compact form (RFC 7515, section 7.1) that has exactly one spelling:
 * - three parts of canonical base64url
 * - header and payload are JSON objects in UTF-8
 * - no forbidden header member
 * - `typ` absent or the media type `application/jwt`
 *
 * Throws `invalid_token`.
 */
export function readCompactToken(token: string): CompactToken {
  const parts = token.split('.', 4)
  const [encodedHeader, encodedPayload, signature] = parts
  if (parts.length !== 3 || !encodedHeader || !encodedPayload || !signature) throw refusal('not_a_jwt')
  if (!parts.every(isCanonical)) throw refusal('not_canonical')

  const header = readObject(encodedHeader)
  if (header === undefined) throw refusal('header_unreadable')
  if (forbiddenMembers.some((name) => Object.hasOwn(header, name))) throw refusal('header_member_forbidden')
  if (header.typ !== undefined && !isJwtType(header.typ)) throw refusal('type_not_jwt')

  const claims = readObject(encodedPayload)
  if (claims === undefined) throw refusal('payload_unreadable')
  return { header, claims }
}

/** Media types ignore letter case, and `typ` may omit `application/` (RFC 7515, section 4.1.9). */
function isJwtType(typ: unknown): boolean {
  return typeof typ === 'string' && /^(application\/)?jwt$/i.test(typ)
}

/**
 * Padding, unused bits, foreign characters and the other alphabet would each allow a second spelling of the same
 * token.
 */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readObject(part: string): Untrusted | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(Buffer.from(part, 'base64url')))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
