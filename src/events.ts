import type { BaseLogger } from 'pino'
import { z } from 'zod'

/** An error as the log may show it. Postgres' message and detail are left out, because they can quote values. */
const Cause = z.strictObject({
  type: z.string(),
  code: z.string().optional(),
  message: z.string().optional(),
  constraint: z.string().optional(),
  routine: z.string().optional(),
  stack: z.string().optional(),
})

/** Twelve hex digits that distinguish owners, addresses or key ids without naming them. */
const Digest = z.string().regex(/^[0-9a-f]+$/)

const source = z.string()

/**
 * Every line that Docket logs, by its `event`, with the fields it may have.
 * Of the data that a caller sent, only the method and an X-Request-Id of harmless characters are logged. No path,
 * query, header, token, title or description is.
 * `test/support/log-check.ts` checks every line of the test suites against this.
 */
export const events = {
  /** The process listens and is ready. */
  start: z.strictObject({ origin: z.string(), environment: z.string() }),
  /** A start outside production migrated the database that DATABASE_URL names. */
  migrated: z.strictObject({ applied: z.array(z.string()), restored: z.array(z.string()) }),
  /** A variable is set that is no setting. It resembles a setting that is unset. */
  setting_misspelt: z.strictObject({ given: z.string(), meant: z.string() }),
  /** The API of an app could not be opened. */
  not_opened: z.strictObject({ cause: Cause }),
  stop: z.strictObject({ signal: z.string() }),
  stop_late: z.strictObject({}),
  stopped: z.strictObject({}),
  /** A defect that ended the process. */
  crash: z.strictObject({ cause: Cause }),
  /** The server is overloaded and refuses some requests. Logged once a minute. */
  overloaded: z.strictObject({ by: z.enum(['queue', 'event_loop']), waiting: z.int() }),
  /** A process of `--workers` ended by itself. */
  worker_lost: z.strictObject({ code: z.int().optional(), signal: z.string().optional() }),
  worker_back: z.strictObject({}),
  /** All `--workers` processes were replaced, or the first new one did not start. */
  reload: z.strictObject({ workers: z.int() }),
  reload_failed: z.strictObject({ code: z.int().optional(), signal: z.string().optional() }),
  /** A request is complete. `route` is the route pattern that matched. */
  request: z.strictObject({
    request_id: z.string(),
    method: z.string(),
    route: z.string(),
    status: z.int(),
    duration_ms: z.number(),
    owner: Digest.optional(),
    code: z.string().optional(),
    /** From a closed set. It says why a token was refused, so a repeated expired token shows here. */
    reason: z.string().optional(),
    kid: Digest.optional(),
    advice: z.string().optional(),
    cause: Cause.optional(),
  }),
  /** `count` more responses of one kind came within a second of the one that was logged in full. */
  requests_summed: z.strictObject({
    status: z.int(),
    code: z.string().optional(),
    reason: z.string().optional(),
    /** Set when there is no `reason`. */
    route: z.string().optional(),
    count: z.int(),
  }),
  keys_ignored: z.strictObject({ source, ignored: z.array(z.unknown()) }),
  keys_unreadable: z.strictObject({ source, reason: z.string(), held: z.int(), cause: Cause }),
  keys_dropped: z.strictObject({ source }),
  /** The built-in issuer refused a sign-in. */
  login_failed: z.strictObject({ status: z.int() }),
  issuer: z.strictObject({ message: z.string() }),
  /**
   * A request exceeded a limit and was refused. Logged once a minute per caller.
   * The digest of an address uses a key that only this process has.
   */
  rate_limited: z.strictObject({ limit: z.enum(['owner', 'address']), caller: Digest }),
  /**
   * In production, `X-Forwarded-For` came from a peer that TRUSTED_PROXIES does not name. Logged the first time
   * only.
   */
  proxy_untrusted: z.strictObject({ peer: Digest, advice: z.string() }),
  /** A page sent a request from an origin that CORS_ORIGINS does not name. A browser hides the response from it. */
  origin_refused: z.strictObject({ request_id: z.string(), advice: z.string() }),
  /** One owner requested many missing tasks: a broken client, or somebody who guesses ids. */
  many_missing: z.strictObject({ owner: Digest, in_a_minute: z.int() }),
  /**
   * A request was answered before the app saw it. Node's parser could not read it, or a defect occurred before the
   * app.
   */
  request_unseen: z.strictObject({
    request_id: z.string(),
    status: z.int(),
    code: z.string(),
    reason: z.string().optional(),
    cause: Cause.optional(),
  }),
  /**
   * Connections were closed without a response: too many connections, too many unanswered requests, or a slow
   * reader.
   */
  connections_cut: z.strictObject({
    reason: z.enum(['connections', 'pipelined', 'slow_reader']),
    count: z.int(),
  }),
  /** The reader of the log had stopped reading. `lines` lines before this one were dropped. */
  log_dropped: z.strictObject({ lines: z.int() }),
  /** The shared count does not answer. Until it does, this process counts requests in memory. */
  rate_store_lost: z.strictObject({ cause: Cause }),
  rate_store_back: z.strictObject({}),
  /**
   * Rights or policies differ from those that the migrations made, and /readyz answers 503. Names come from the
   * catalog.
   */
  protection_differs: z.strictObject({ differences: z.array(z.string()) }),
  protection_restored: z.strictObject({}),
  database_lost: z.strictObject({ cause: Cause }),
  database_back: z.strictObject({}),
  issuer_connection_lost: z.strictObject({ cause: Cause }),
} as const

export type EventName = keyof typeof events
export type Level = 'info' | 'warn' | 'error' | 'fatal'

/** Writes one line of a kind declared above. */
export function record<Name extends EventName>(
  log: BaseLogger,
  level: Level,
  event: Name,
  fields: z.input<(typeof events)[Name]>,
): void {
  const line: Record<string, unknown> = { event, ...fields }
  log[level](line, sentences[event])
}

const sentences: Record<EventName, string> = {
  start: 'listening',
  migrated: 'the database was brought up to date, as outside production every start does',
  setting_misspelt: 'a name is set that is no setting, and looks like one',
  not_opened: 'the API could not be opened; the next request tries again',
  stop: 'draining',
  stop_late: 'not everything could be closed in time',
  stopped: 'stopped',
  crash: 'a defect ended the process',
  overloaded: 'more to do than can be done: some requests are refused',
  worker_lost: 'a worker ended; another takes its place',
  worker_back: 'all workers are there again',
  reload: 'all workers were replaced',
  reload_failed: 'a new worker did not start; the old ones stay',
  request: 'request',
  requests_summed: 'more of the same within a second',
  keys_ignored: 'keys of the set left out',
  keys_unreadable: 'the key set could not be read',
  keys_dropped: 'the key set is too old to trust; its keys are dropped',
  login_failed: 'sign-in refused',
  issuer: 'built-in issuer',
  rate_limited: 'too many requests',
  proxy_untrusted: 'X-Forwarded-For came from a peer that TRUSTED_PROXIES does not name',
  origin_refused: 'a page of an origin that may not read the answer',
  many_missing: 'many tasks asked for that are not there',
  request_unseen: 'request that could not be read',
  connections_cut: 'connections closed without an answer',
  log_dropped: 'lines of the log dropped',
  rate_store_lost: 'the shared count of requests is out of reach; this process counts alone',
  rate_store_back: 'the shared count of requests is back',
  protection_differs: 'rights or policies are not those that the migrations made',
  protection_restored: 'rights and policies are those that the migrations made',
  database_lost: 'database is out of reach',
  database_back: 'database is back',
  issuer_connection_lost: 'connection of the built-in issuer lost',
}

/** Converts an error to the shape of `cause`. A message from Postgres can hold values, so it is left out. */
export function causeOf(error: unknown): z.output<typeof Cause> {
  if (!(error instanceof Error)) return { type: typeof error }
  const text = (name: string) => {
    const value: unknown = Object.getOwnPropertyDescriptor(error, name)?.value
    return typeof value === 'string' ? { [name]: value } : {}
  }
  const cause = { type: error.name, ...text('code') }
  if ('severity' in error) return { ...cause, ...text('constraint'), ...text('routine') }
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line))
  return { ...cause, message: error.message, ...(frames && { stack: frames.join('\n') }) }
}
