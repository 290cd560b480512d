/**
 * Everything that can go wrong for a caller, by the code that clients switch on.
 * This file knows nothing of HTTP: `http/problem` is the only place that turns a code into a status.
 */
export const errorCodes = [
  'malformed_request',
  'unauthenticated',
  'invalid_token',
  'token_expired',
  'forbidden',
  'quota_exceeded',
  'not_found',
  'method_not_allowed',
  'conflict',
  'precondition_failed',
  'payload_too_large',
  'unsupported_media_type',
  'validation_failed',
  'rate_limited',
  'internal',
  'unavailable',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** One fault of a request: where it is (`path` is an RFC 6901 JSON pointer), a code, a sentence without the value. */
export type Fault = {
  in: 'body' | 'query' | 'path'
  path: string
  code: string
  detail: string
}

type Extras = {
  /** All faults of a `validation_failed`. */
  errors?: readonly Fault[]
  /** After how long a repeat can succeed. */
  retryAfterSeconds?: number
  /** Response headers that belong to this failure, such as `Allow`. */
  headers?: Readonly<Record<string, string>>
  /** What really happened, for the log only. */
  cause?: unknown
  /** A closed, named reason for the log only; the caller sees `code` and `detail`. */
  reason?: string
  note?: Note
}

/** What the log line of the request says beside the reason: the digest of a key id, and what to do about it. */
export type Note = { readonly kid?: string | undefined; readonly advice?: string | undefined }

/**
 * A failure that a caller may see. `detail` is a plain sentence that says what to do; it never holds
 * input, secrets or internals. Anything thrown that is not an `AppError` is answered as `internal`.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly detail: string
  readonly errors: readonly Fault[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly reason: string | undefined
  /** Whoever hands the failure on may add to it. */
  note: Note | undefined

  constructor(code: ErrorCode, detail: string, extras: Extras = {}) {
    super(detail, { cause: extras.cause })
    this.name = 'AppError'
    this.code = code
    this.detail = detail
    this.errors = extras.errors
    this.retryAfterSeconds = extras.retryAfterSeconds
    this.headers = extras.headers
    this.reason = extras.reason
    this.note = extras.note
  }
}

/** Why a process cannot start or a command cannot do its work: one sentence that says what to do, and an exit code. */
export class StartError extends Error {
  /** From sysexits.h: 69 unavailable, 73 cannot create, 78 configuration. */
  readonly exitCode: number

  constructor(message: string, exitCode: number, cause?: unknown) {
    super(message, { cause })
    this.name = 'StartError'
    this.exitCode = exitCode
  }
}
