import { createHmac, randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { type AccessTokens, createAccessTokens, type KeySource } from '../../src/auth/access-token.ts'
import { remoteKeys } from '../../src/auth/keys/key-set.ts'
import { AppError } from '../../src/errors.ts'
import { startTokenIssuer, type TokenIssuer } from './token-issuer.ts'

const start = Date.UTC(2026, 10, 20)
/** The frozen moment of these tests, epoch seconds. */
export const seconds = start / 1000
export const audience = 'https://api.example'
export const secretIssuer = 'https://secret.example'
const secret = randomBytes(32)
export const bySecret = { kind: 'secret', issuers: [secretIssuer], audiences: [audience], secret } as const

export function byKeySet({ issuer, audience: own, url }: TokenIssuer): KeySource {
  const fetchKeys = remoteKeys(url)
  return { kind: 'key-set', issuers: [issuer], audiences: [own, audience], fetchKeys, label: 'the key set' }
}

/** A token signed with the shared secret, or with another key. */
export function hs256(claims: object = {}, header: object = {}, key: Uint8Array = secret): string {
  const all = { iss: secretIssuer, aud: audience, sub: 'ann', exp: seconds + 900, ...claims }
  const signed = [{ alg: 'HS256', typ: 'JWT', ...header }, all]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

/** All that a caller may learn of a refused token, and the reason the log has. */
export function invalid(reason: string) {
  return {
    code: 'invalid_token',
    reason,
    detail: 'The token was not accepted; sign in again to get another one.',
  }
}

/**
 * Another text that decodes to the same bytes: of the last character of a 64-byte signature four bits are unused.
 */
export function flipUnusedBits(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return token.slice(0, -1) + alphabet.charAt(alphabet.indexOf(token.slice(-1)) ^ 1)
}

type CheckOptions = Omit<Parameters<typeof createAccessTokens>[0], 'sources' | 'log' | 'now'>

/** A token check on a clock of its own, with one issuer's key set and one shared secret unless told otherwise. */
export async function openTokenCheck() {
  let clock = start
  let lines: string[] = []
  const now = () => clock
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
  const opened: AccessTokens[] = []
  const open = (sources: readonly KeySource[], options: CheckOptions = {}) => {
    const tokens = createAccessTokens({ ...options, sources, log, now })
    opened.push(tokens)
    return tokens
  }
  const issuer = await startTokenIssuer({ now })
  let tokens = open([byKeySet(issuer), bySecret])

  const outcome = (...values: string[]) => ended(() => tokens.authenticate(values))
  const ended = async (authenticate: () => ReturnType<AccessTokens['authenticate']>) => {
    try {
      return { principal: await authenticate() }
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return { code: error.code, reason: error.reason, detail: error.detail }
    }
  }
  return {
    issuer,
    now,
    setClock: (epochMs: number) => {
      clock = epochMs
    },
    /** Takes the place of the default sources. */
    use: (sources: readonly KeySource[], options?: CheckOptions) => {
      tokens = open(sources, options)
    },
    authenticate: (values: readonly string[]) => tokens.authenticate(values),
    /** How the check ends for these `Authorization` values: a principal, or what the caller and the log are told. */
    outcome,
    bearer: (token: string) => outcome(`Bearer ${token}`),
    /** The same for a caller beyond a limit. */
    limited: (token: string) => ended(() => tokens.authenticate([`Bearer ${token}`], true)),
    /** The failure with which the token is refused. */
    refusalOf: async (token: string): Promise<AppError> => {
      const refused = await Promise.resolve(tokens.authenticate([`Bearer ${token}`])).catch((error) => error)
      if (refused instanceof AppError) return refused
      throw new Error('the token was not refused')
    },
    /** What was logged since the last time this was asked. */
    takeLines: () => {
      const taken = lines
      lines = []
      return taken
    },
    close: async () => {
      for (const one of opened) one.close()
      await issuer.close()
    },
  }
}

export type TokenCheck = Awaited<ReturnType<typeof openTokenCheck>>
