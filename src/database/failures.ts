import { AppError } from '../errors.ts'

/**
 * What a failed batch means. `repeat` is true when the batch is known to have changed nothing, so that sending
 * it again is safe for writes too; `lost` when the connection went away and nobody knows.
 */
export type Failure = {
  readonly code: 'unavailable' | 'internal'
  readonly repeat: boolean
  readonly lost: boolean
}

/** A connection that ended with batches in flight, or could not be opened. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** Raised by the trigger that counts an owner's tasks. */
const quotaExceeded = 'DQ001'

const rolledBack: Failure = { code: 'unavailable', repeat: true, lost: false }
const unavailable: Failure = { code: 'unavailable', repeat: false, lost: false }
const lost: Failure = { code: 'unavailable', repeat: false, lost: true }
const defect: Failure = { code: 'internal', repeat: false, lost: false }

/** By SQLSTATE, then by its class. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const byState: Readonly<Record<string, Failure>> = {
  '40001': rolledBack, // serialization failure
  '40P01': rolledBack, // deadlock
  '0A000': rolledBack, // cached plan must not change result type: the table changed under a prepared statement
  '26000': rolledBack, // the prepared statement is not known to this connection
  '57014': unavailable, // statement time-out
  '55P03': unavailable, // lock time-out
  '25006': unavailable, // read only: a standby, or a database that is full
}

const byClass: Readonly<Record<string, Failure>> = {
  '08': lost, // connection exception
  '53': unavailable, // out of memory, disk or connections
  '57': lost, // shutting down, starting, terminated by an administrator
  '58': unavailable, // system error outside Postgres
}

/** The meaning of what a batch failed with. Whatever is not in the tables is a defect of ours. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ConnectionLost) return lost
  const state = sqlState(error)
  if (state === undefined) return defect
  return byState[state] ?? byClass[state.slice(0, 2)] ?? defect
}

/** Whether the connection that reported the error must not be used again. */
export function endsConnection(error: unknown): boolean {
  const state = sqlState(error)
  return state === '0A000' || state === '26000' || severity(error) === 'FATAL' || severity(error) === 'PANIC'
}

/** Whether a table was changed under the statements of every connection there is: "cached plan must not change result type". */
export function endsEveryConnection(error: unknown): boolean {
  return sqlState(error) === '0A000'
}

/** The SQLSTATE of an error that Postgres sent, else undefined. Node's own codes (`ECONNRESET`) are none. */
export function sqlState(error: unknown): string | undefined {
  if (severity(error) === undefined) return undefined
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function severity(error: unknown): string | undefined {
  return error instanceof Error && 'severity' in error && typeof error.severity === 'string'
    ? error.severity
    : undefined
}

/** The answer for a caller whose batch failed; the cause is for the log. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (sqlState(error) === quotaExceeded)
    return new AppError('quota_exceeded', 'You have as many tasks as one may have; delete some first.', {
      cause: error,
    })
  if (failureOf(error).code === 'internal')
    return new AppError('internal', 'Something went wrong on our side.', { cause: error })
  return databaseUnavailable(error)
}

export function databaseUnavailable(cause?: unknown): AppError {
  return new AppError('unavailable', 'The database is out of reach at the moment; try again shortly.', {
    retryAfterSeconds: 1,
    cause,
    reason: 'database',
  })
}
