import { isIP } from 'node:net'
import { z } from 'zod'
import { Secret } from './secret.ts'

/**
 * These schemas turn the text of one setting into a value. Each message completes the sentence "PORT …".
 * No message repeats the text, which may be a secret in the wrong variable.
 */

export const anyText = z.string()

export const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` })

export const wholeNumber = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`
  return z
    .string()
    .regex(/^\d{1,15}$/, error)
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error })
}

/** Drops blank entries and duplicates, keeps the order, and refuses an empty list. */
export const commaList = (entry: z.ZodType<string, string>) =>
  z
    .string()
    .transform((text) => [...new Set(text.split(',').map((part) => part.trim()))].filter(Boolean))
    .pipe(z.array(entry).min(1, 'must name at least one'))

export const identifier = z.string().regex(/^[^\s,]+$/, 'must be one value without spaces or commas')

/** RFC 6749, section 3.3. */
export const scopeToken = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must hold scopes, which have no spaces or quotes')

export const yesOrNo = oneOf(['true', 'false']).transform((text) => text === 'true')

export const listenHost = z
  .string()
  .refine((text) => isIP(text) !== 0 || /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i.test(text), {
    error: 'must be an address or a host name, without scheme, brackets or port',
  })

function namesHostAndDatabase(text: string): boolean {
  try {
    const url = new URL(text)
    decodeURIComponent(url.username + url.password + url.hostname + url.pathname)
    return url.hostname !== '' && url.pathname.length > 1 && url.hash === ''
  } catch {
    return false
  }
}

const sslModes = ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full']

/** `pg` takes the last of several parameters with the same name. */
const lastOf = (url: URL, name: string) => url.searchParams.getAll(name).at(-1) ?? ''
const sslModeOf = (url: URL) => lastOf(url, 'sslmode')

export const postgresUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, { error: 'must begin with postgresql:// or postgres://', abort: true })
  .refine(namesHostAndDatabase, {
    error:
      'must name a host and a database (postgresql://user:password@host/database), with the special ' +
      'characters of the password percent-encoded (# is %23, / is %2F, ? is %3F, @ is %40)',
    abort: true,
  })
  .refine((text) => sslModeOf(new URL(text)) === '' || sslModes.includes(sslModeOf(new URL(text))), {
    error: `may have an sslmode of ${sslModes.join(', ')} only`,
  })
  .transform((text) => new Secret(text))

/**
 * True when the host of a WHATWG URL is this machine: `localhost`, any name below it (RFC 6761, 6.3), 127.0.0.0/8,
 * `[::1]`.
 */
export const isLoopback = (hostname: string) =>
  /^(.+\.)?localhost$/.test(hostname) || /^127(\.\d+){3}$/.test(hostname) || hostname === '[::1]'

/** True when a Postgres URL has an `sslmode`, or its connection does not leave this machine. */
export function decidesOnEncryption(url: Secret<string>): boolean {
  const parsed = new URL(url.reveal())
  const host = lastOf(parsed, 'host') || decodeURIComponent(parsed.hostname)
  const local = host.startsWith('/') || isLoopback(host.toLowerCase())
  return local || sslModeOf(parsed) !== ''
}

/** True when others can read and change the response of this URL: `http:` to another machine. */
export const isUnprotected = ({ protocol, hostname }: URL) => protocol === 'http:' && !isLoopback(hostname)

const webUrl = z
  .string()
  .refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text), {
    error: 'must be a whole URL that begins with https://',
  })
  .transform((text) => new URL(text))
  .refine((url) => url.username === '' && url.password === '' && url.hash === '', {
    error: 'must hold no user name, password or fragment',
  })

const secureUrl = webUrl.refine((url) => !isUnprotected(url), {
  error:
    'must begin with https:// (http:// is for localhost and other loopback addresses only, unless ' +
    'AUTH_ALLOW_HTTP_KEYS=true: then whoever can change the traffic can forge every token)',
})

/** `https:`, or `http:` to loopback, without credentials or fragment. The value is the URL as WHATWG writes it. */
export const keySetUrl = secureUrl.transform((url) => url.href)

/** Like `keySetUrl`, but allows `http:` to any host. */
export const unprotectedKeySetUrl = webUrl.transform((url) => url.href)

const originOf = (schema: z.ZodType<URL, string>) =>
  schema
    .refine((url) => url.pathname === '/' && url.search === '', {
      error:
        'must be an origin only: leave out everything behind the host; if Better Auth is not at /api/auth ' +
        'there, give the URL of its keys in AUTH_JWKS_URL',
    })
    .transform((url) => url.origin)

/** Like `keySetUrl`, but only an optional `/` may follow the host. The value is the origin, without that slash. */
export const originUrl = originOf(secureUrl)

/** Like `originUrl`, but allows `http:` to any host. */
export const unprotectedOriginUrl = originOf(webUrl)

// App shells (capacitor://localhost) have an opaque WHATWG origin, so only http(s) origins can be compared.
const isExactOrigin = (text: string) =>
  /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@*\\]+$/.test(text) &&
  URL.canParse(text) &&
  (!/^https?:/.test(text) || new URL(text).origin === text)

/** The exact bytes of an `Origin` header. `*` and `null` are refused. */
export const exactOrigin = z.string().refine(isExactOrigin, {
  error:
    'must be an origin exactly as browsers send it: scheme://host or scheme://host:port in lower case, ' +
    'without path, closing slash, default port or *',
})

function isAddressOrRange(text: string): boolean {
  const [, address = '', prefix = '0'] = /^([\da-f.:]+)(?:\/(\d|[1-9]\d{1,2}))?$/i.exec(text) ?? []
  const family = isIP(address)
  return family !== 0 && Number(prefix) <= (family === 4 ? 32 : 128)
}

/** An IPv4 or IPv6 address without zone, or a CIDR range of them. */
export const addressRange = z.string().refine(isAddressOrRange, {
  error: 'must be an address such as 10.0.0.7 or a range such as 10.0.0.0/8',
})

/** The UTF-8 bytes of the text. HS256 needs at least 256 bits (RFC 7518, 3.2). */
export const hs256Secret = z
  .string()
  .transform((text) => new TextEncoder().encode(text))
  .refine((bytes) => bytes.length >= 32, { error: 'must have at least 32 bytes' })
  .transform((bytes) => new Secret(bytes))
