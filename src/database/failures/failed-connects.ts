import { StartError } from '../../errors.ts'
import { saidByNeon } from './failures.ts'

/**
 * When to connect again after a failed attempt:
 * - `soon`: after a short pause, because nothing was sent and the fault is likely to pass
 * - `later`: new requests are refused until then
 * - `rarely`: somebody has to fix the cause first
 */
export type Next = 'soon' | 'later' | 'rarely'

/** The meaning of a failed attempt to connect, its remedy, and when to try again. */
export type FailedConnect = { readonly means: string; readonly remedy: string; readonly next: Next }

const row = (means: string, next: Next, remedy: string): FailedConnect => ({ means, remedy, next })

const noPostgres = 'check that a Postgres listens there, and whether it wants sslmode=require'
const copied = 'copy the URL again from your provider'

/** By SQLSTATE or Node's code. */
export const failedConnects: Readonly<Record<string, FailedConnect>> = {
  '08P01': row(
    'a pooler in front of the database refuses a parameter',
    'later',
    'take options and time-outs out of the URL',
  ),
  '28000': row('the login is refused', 'rarely', 'check the user, and whether sslmode=require is missing'),
  '28P01': row('the user or the password is wrong, or the password is missing', 'rarely', copied),
  '3D000': row('the database does not exist', 'rarely', 'create it, or correct the name'),
  '42501': row(
    'the login may not connect to this database',
    'rarely',
    'grant it CONNECT, or use another login',
  ),
  '53300': row('it has no connection left', 'soon', 'close some, or use the pooled URL'),
  '57P01': row('an administrator ended the connection', 'soon', 'try again in a moment'),
  '57P03': row('it is starting up or shutting down', 'soon', 'try again in a moment'),
  EAI_AGAIN: row('its host name does not resolve right now', 'soon', 'check the host and the network'),
  ECONNREFUSED: row(
    'nothing listens at its host and port',
    'soon',
    'start the database, or correct the host and the port',
  ),
  ECONNRESET: row('the connection was cut', 'soon', noPostgres),
  EHOSTUNREACH: row('there is no way to its host', 'later', 'check the host and the network'),
  ENETUNREACH: row('there is no way to its network', 'later', 'check the host and the network'),
  ENOTFOUND: row('its host name does not resolve', 'later', 'check the host'),
  EPIPE: row('the connection was cut', 'soon', noPostgres),
  ETIMEDOUT: row('nothing there answers', 'soon', 'check the host, the port and the firewall'),
}

/** Failures without such a code, by name. */
export const failedConnectsWithoutCode = {
  asleep: row('Neon could not wake it', 'soon', 'try again in a moment, and look at the status of Neon'),
  spent: row(
    'the quota of its Neon project is used up',
    'rarely',
    "raise the plan's limits, or wait for the next month",
  ),
  unknown: row(
    'Neon knows no such endpoint, or it is disabled',
    'rarely',
    'copy the URL again from the Neon console',
  ),
  cut: row('the connection was cut without a word', 'soon', noPostgres),
  plain: row(
    'the server speaks no TLS',
    'later',
    'where the network is your own, say sslmode=disable in the URL',
  ),
  untrusted: row(
    'its TLS certificate is not trusted',
    'later',
    'use the host name the certificate is for, or set NODE_EXTRA_CA_CERTS',
  ),
  silent: row(
    'nothing there answers as a Postgres does',
    'later',
    'check the host, the port and the firewall',
  ),
  foreign: row(
    "nothing there answers as Neon's proxy does",
    'later',
    'check the host, or choose DATABASE_DRIVER=postgres',
  ),
  other: row(
    'the connection failed',
    'later',
    'check the host, the port, the user and the parameters of the URL',
  ),
} as const satisfies Record<string, FailedConnect>

/** Messages of drivers, Node and Neon's proxy that have no code, with the row they mean. The first match counts. */
const inWords: readonly (readonly [words: RegExp, row: FailedConnect | undefined])[] = [
  [/does not support SSL/, failedConnectsWithoutCode.plain],
  [/self.signed|certificate|altnames/i, failedConnectsWithoutCode.untrusted],
  [/requested endpoint could not be found|endpoint has been disabled/i, failedConnectsWithoutCode.unknown],
  [/password authentication failed|password must be a string|SASL/, failedConnects['28P01']],
  [/WebSocket|over HTTP/, failedConnectsWithoutCode.foreign],
  [/timeout/, failedConnectsWithoutCode.silent],
  [/terminated unexpectedly|is not queryable$/, failedConnectsWithoutCode.cut],
]

/** The meaning of a failed attempt to connect. */
export function failedConnectOf(error: unknown): FailedConnect {
  const neon = saidByNeon(error)
  if (neon !== undefined) return failedConnectsWithoutCode[neon]
  const code = codeOf(error)
  const words = messagesOf(error)
  return (
    (Object.hasOwn(failedConnects, code) ? failedConnects[code] : undefined) ??
    inWords.find(([said]) => said.test(words))?.[1] ??
    failedConnectsWithoutCode.other
  )
}

/** True when another attempt may follow at once. */
export function connectsSoon(error: unknown): boolean {
  return failedConnectOf(error).next === 'soon'
}

/** Pause after failed attempts, in milliseconds, before the next connection is opened. */
export function pauseAfter(error: unknown): number {
  return failedConnectOf(error).next === 'rarely' ? 30_000 : 400
}

/** The one sentence for a database that cannot be connected to. It contains neither the URL nor the password. */
export function unreachable(error: unknown, variable: string): StartError {
  const failed = failedConnectOf(error)
  const unforeseen = failed === failedConnectsWithoutCode.other ? ` (${codeOf(error) || 'no code'})` : ''
  return new StartError(
    `${variable} cannot be used: ${failed.means}${unforeseen}: ${failed.remedy}.`,
    69,
    error,
  )
}

/** The error's own code, or the code of its cause. Over HTTP the network's code is a few causes down. */
function codeOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 4) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause ?? ('sourceError' in error ? error.sourceError : undefined), depth + 1)
}

/** The message of an error and of its cause. Over HTTP the cause has Neon's only message. */
function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message
}
