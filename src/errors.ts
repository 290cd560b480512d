/**
 * The codes of all failures that a caller can see. Clients switch on them. This file knows nothing of HTTP: only
 * `http/problem` turns a code into a status.
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

/** One fault of a request: its place (`path` is an RFC 6901 JSON pointer), a code, and a sentence without the value. */
export type Fault = {
  in: 'body' | 'query' | 'path'
  path: string
  code: string
  detail: string
}

type Extras = {
  /** All faults of a `validation_failed`. */
  errors?: readonly Fault[]
  /** Seconds after which a retry can succeed. */
  retryAfterSeconds?: number
  /** Response headers that belong to this failure, such as `Allow`. */
  headers?: Readonly<Record<string, string>>
  /** The original error, for the log only. */
  cause?: unknown
  /** A reason from a closed set, for the log only. The caller sees `code` and `detail`. */
  reason?: string
  note?: Note
}

/** Additional log fields: the digest of a key id, and a remedy. */
export type Note = { readonly kid?: string | undefined; readonly advice?: string | undefined }

/**
 * A failure that a caller may see. `detail` is a plain sentence with a remedy. It never contains input, secrets or
 * internals. Any other error is answered as `internal`.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly detail: string
  readonly errors: readonly Fault[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly reason: string | undefined
  /** Code that passes the failure on may add to it. */
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

/**
 * The reason why a process cannot start, or a command cannot do its work: one sentence with a remedy, and an exit
 * code.
 */
export class StartError extends Error {
  /** From sysexits.h: 69 unavailable, 73 cannot create, 78 configuration. */
  readonly exitCode: number

  constructor(message: string, exitCode: number, cause?: unknown) {
    super(message, { cause })
    this.name = 'StartError'
    this.exitCode = exitCode
  }
}
