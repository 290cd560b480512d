import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { Logger } from 'pino'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Principal } from '../../auth/principal.ts'
import { AppError } from '../../errors.ts'
import { isCounted } from '../../events/sums.ts'
import { causeOf, record } from '../../events.ts'
import { everyResponse } from '../answer/respond.ts'
import type { Context, Env } from '../request/context.ts'
import { ownerDigest } from './digests.ts'
import { repeatOf } from './repeats.ts'

const harmless = /^[A-Za-z0-9._~:/+=@-]{1,128}$/

/**
 * Sets the request's id (the caller's own if it is harmless) and the headers of every response. It logs one line at
 * the end: id, method, route, status, duration, hash of the owner. No path, token, query or body. Repeats that did
 * nothing are counted and logged once a second, so that no flood fills the log.
 */
export function requestLog(log: Logger, production = false): MiddlewareHandler<Env> {
  const watchMissing = missingWatch(log)
  return async (c, next) => {
    const started = performance.now()
    const theirs = c.req.header('x-request-id')
    const requestId = theirs !== undefined && harmless.test(theirs) ? theirs : randomUUID()
    c.set('requestId', requestId)
    c.set('headers', everyResponse(requestId, production))
    await next()
    const status = c.res.status
    const level = levelOf(status)
    const repeat = repeatOf(c, status)
    if (repeat === undefined || !isCounted(log, level, repeat))
      record(log, level, 'request', entry(c, status, performance.now() - started))
    if (status === 404 && c.var.principal !== undefined) watchMissing(ownerHash(c.var.principal))
  }
}

/** Logs an answer that the app did not make: no route, no caller. Repeats are summed up, except defects. */
export function recordUnseen(
  log: Logger,
  answer: { requestId: string; status: number },
  error: AppError,
): void {
  const { requestId, status } = answer
  const { code, reason } = error
  const level = levelOf(status)
  if (status < 500 && isCounted(log, level, { status, code, reason })) return
  record(log, level, 'request_unseen', {
    request_id: requestId,
    status,
    code,
    reason,
    cause: status < 500 ? undefined : causeOf(error.cause),
  })
}

/** From this many 404 answers in a minute on, an owner is logged once. */
const manyMissing = 30

function missingWatch(log: Logger): (owner: string) => void {
  const counter = new RateLimiterMemory({ points: manyMissing, duration: 60, keyPrefix: '' })
  return async (owner) => {
    const { consumedPoints } = await counter.penalty(owner)
    if (consumedPoints === manyMissing)
      record(log, 'warn', 'many_missing', { owner, in_a_minute: manyMissing })
  }
}

function levelOf(status: number): 'info' | 'warn' | 'error' {
  if (status === 500) return 'error'
  return status > 500 ? 'warn' : 'info'
}

function entry(c: Context, status: number, durationMs: number) {
  const principal = c.get('principal')
  const failure = c.get('failure')
  const known = failure instanceof AppError ? failure : undefined
  return {
    request_id: c.get('requestId'),
    method: c.req.method,
    route: routePath(c, -1),
    status,
    duration_ms: Math.round(durationMs * 100) / 100,
    owner: principal && ownerHash(principal),
    code: known?.code,
    reason: known?.reason,
    kid: known?.note?.kid,
    advice: known?.note?.advice,
    cause: status < 500 || failure === undefined ? undefined : causeOf(known?.cause ?? failure),
  }
}

const hashes = new WeakMap<Principal, string>()

/** Distinguishes owners in the log without naming them. */
export function ownerHash(principal: Principal): string {
  let known = hashes.get(principal)
  if (known === undefined) {
    known = ownerDigest(principal.id)
    hashes.set(principal, known)
  }
  return known
}
