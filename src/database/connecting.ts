import { saidByNeon } from './failures.ts'

/**
 * When to try again after a failed attempt to connect: `soon`, a moment later, because nothing was sent and it is
 * likely to pass; `later`, while whoever asks is refused; `rarely`, because somebody has to mend it first.
 */
export type Next = 'soon' | 'later' | 'rarely'

export type FailedConnect = { readonly means: string; readonly next: Next }

const row = (means: string, next: Next): FailedConnect => ({ means, next })

/** By SQLSTATE or Node's code. */
export const failedConnects: Readonly<Record<string, FailedConnect>> = {
  '08P01': row('a pooler refuses it, or this is no Postgres', 'later'),
  '28000': row('the login is refused', 'rarely'),
  '28P01': row('the password is wrong', 'rarely'),
  '3D000': row('there is no such database', 'rarely'),
  '42501': row('the login may not use this database', 'rarely'),
  '53300': row('no connection left', 'soon'),
  '57P01': row('ended by an administrator', 'soon'),
  '57P03': row('starting or shutting down', 'soon'),
  EAI_AGAIN: row('the host name does not resolve right now', 'soon'),
  ECONNREFUSED: row('nothing listens', 'soon'),
  ECONNRESET: row('cut', 'soon'),
  EHOSTUNREACH: row('no way to the host', 'later'),
  ENETUNREACH: row('no network', 'later'),
  ENOTFOUND: row('the host name does not resolve', 'later'),
  EPIPE: row('cut', 'soon'),
  ETIMEDOUT: row('nothing answers', 'soon'),
}

/** Without a code, by name. */
export const failedConnectsWithoutCode = {
  cut: row('hung up on without a word', 'soon'),
  asleep: row('Neon could not wake or reach the database', 'soon'),
  spent: row('the quota of the Neon project is used up', 'rarely'),
  other: row('anything else: time-outs, TLS', 'later'),
} as const satisfies Record<string, FailedConnect>

/** What `pg` says when the connection ended before it was ready for work, or before the next thing was sent on it. */
const cutMeanwhile = /^Connection terminated unexpectedly$|is not queryable$/

/** The meaning of a failed attempt to connect. */
export function failedConnectOf(error: unknown): FailedConnect {
  const neon = saidByNeon(error)
  if (neon !== undefined) return failedConnectsWithoutCode[neon]
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const cut = error instanceof Error && cutMeanwhile.test(error.message)
  return failedConnects[code] ?? failedConnectsWithoutCode[cut ? 'cut' : 'other']
}

/** Whether another attempt may follow at once. */
export function connectsSoon(error: unknown): boolean {
  return failedConnectOf(error).next === 'soon'
}

/** For how long, after attempts that failed, nobody asks for another connection; in milliseconds. */
export function pauseAfter(error: unknown): number {
  return failedConnectOf(error).next === 'rarely' ? 30_000 : 400
}
