import { AppError } from '../../errors.ts'
import type { Quota } from '../statements/quota.ts'
import type { Access } from '../statements/statement.ts'

/**
 * The batches that may be sent again after a failure:
 * - `anything`: the batch is known to have changed nothing
 * - `reads`: it is unknown whether the batch changed anything
 * - `nothing`: a repeat would fail the same way
 */
export type Again = 'anything' | 'reads' | 'nothing'

/**
 * The meaning of a failed batch, the batches that are repeated, and the code for the caller when that does not
 * help.
 */
export type Failure = {
  readonly means: string
  readonly again: Again
  readonly code: 'unavailable' | 'internal' | 'quota_exceeded'
}

const row = (means: string, again: Again, code: Failure['code'] = 'unavailable'): Failure => ({
  means,
  again,
  code,
})

/** By SQLSTATE, else by its class. https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const failuresByState: Readonly<Record<string, Failure>> = {
  '08': row('the connection failed', 'reads'),
  '0A000': row('a table changed under a prepared statement', 'anything'),
  '25006': row('read only: a standby, or a database that is full', 'nothing'),
  '25P04': row('the transaction took too long; its connection ends', 'reads'),
  '26000': row('the connection does not know the prepared statement', 'anything'),
  '40': row('rolled back: serialization failure or deadlock', 'anything'),
  '40003': row('whether it was completed is not known', 'reads'),
  '53': row('out of memory, disk or another resource', 'nothing'),
  '53300': row('no connection left', 'anything'),
  '55P03': row('waited too long for a lock', 'nothing'),
  '57': row('ended by an administrator, or by a crash of another backend', 'reads'),
  '57014': row('ran too long', 'nothing'),
  '57P03': row('starting or shutting down: it took nothing', 'anything'),
  '58': row('a system error below Postgres', 'nothing'),
  DQ: row('the owner reached a limit on what one may store', 'nothing', 'quota_exceeded'),
}

/** A connection that ended with batches in flight, or could not be opened. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** Failures without a SQLSTATE of their own, by name. */
export const failuresWithoutState = {
  lost: row('the connection was cut, or given up, with the batch in flight', 'reads'),
  asleep: row('Neon could not wake or reach the database: it took nothing', 'anything'),
  spent: row('the quota of the Neon project is used up', 'nothing'),
  defect: row('anything else is a defect of ours', 'nothing', 'internal'),
} as const satisfies Record<string, Failure>

/** Messages of Neon's proxy, which come under different SQLSTATEs or none. */
export const neonSays = {
  asleep: /^(?:.*: )?(?:couldn't connect to compute node|control plane request failed)/i,
  spent: /exceeded the \S+(?: \S+){0,2} quota|upgrade your plan to increase limits|HTTP status 402/i,
} as const

/** The meaning of a batch's error. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ConnectionLost) return failuresWithoutState.lost
  const neon = saidByNeon(error)
  if (neon !== undefined) return failuresWithoutState[neon]
  const state = sqlState(error) ?? ''
  return failuresByState[state] ?? failuresByState[state.slice(0, 2)] ?? failuresWithoutState.defect
}

/** Whether the batch may be sent again after this failure. */
export function mayRepeat(error: unknown, access: Access): boolean {
  const { again } = failureOf(error)
  return again === 'anything' || (again === 'reads' && access !== 'write')
}

/**
 * Recognises messages of Neon's proxy. An error from Postgres can quote a value that looks like one, but never in
 * these classes.
 */
export function saidByNeon(error: unknown): keyof typeof neonSays | undefined {
  if (!(error instanceof Error) || !/^(|XX000|08.*|53.*)$/.test(sqlState(error) ?? '')) return undefined
  if (neonSays.spent.test(error.message)) return 'spent'
  return neonSays.asleep.test(error.message) ? 'asleep' : undefined
}

/** True when the connection that reported the error must not be used again. */
export function endsConnection(error: unknown): boolean {
  const state = sqlState(error)
  return state === '0A000' || state === '26000' || severity(error) === 'FATAL' || severity(error) === 'PANIC'
}

/**
 * True when a table changed under the prepared statements of every connection: "cached plan must not change result
 * type".
 */
export function endsEveryConnection(error: unknown): boolean {
  return sqlState(error) === '0A000'
}

/** The SQLSTATE of an error that Postgres sent, else undefined. Node's own codes (`ECONNRESET`) do not count. */
export function sqlState(error: unknown): string | undefined {
  if (severity(error) === undefined) return undefined
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function severity(error: unknown): string | undefined {
  return error instanceof Error && 'severity' in error && typeof error.severity === 'string'
    ? error.severity
    : undefined
}

/** Converts the error of a batch under these quotas to the error for its caller. The cause is for the log. */
export function asAppError(error: unknown, quotas: readonly Quota[] = []): AppError {
  if (error instanceof AppError) return error
  const { code } = failureOf(error)
  if (code === 'quota_exceeded') {
    const quota = quotas.find(({ state }) => state === sqlState(error))
    const sentence = quota?.sentence ?? 'Limit reached. Delete something first.'
    return new AppError(code, sentence, { cause: error, ...(quota && { reason: quota.reason }) })
  }
  if (code === 'internal') return new AppError(code, 'Something went wrong on our side.', { cause: error })
  return databaseUnavailable(error)
}

export function databaseUnavailable(cause?: unknown): AppError {
  return new AppError('unavailable', 'The database is out of reach at the moment; try again shortly.', {
    retryAfterSeconds: 1,
    cause,
    reason: 'database',
  })
}

/** For a batch that was dropped before it was sent, because its caller has hung up. */
export function callerGone(): AppError {
  return new AppError('unavailable', 'The caller has gone.', { reason: 'caller_gone' })
}
