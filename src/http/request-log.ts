import { hash, randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { Logger } from 'pino'
import type { Principal } from '../auth/access-token.ts'
import { AppError } from '../errors.ts'
import type { Context, Env } from './context.ts'
import { everyResponse } from './respond.ts'

const harmless = /^[A-Za-z0-9._~:/+=@-]{1,128}$/

/**
 * Gives the request its id (the caller's when it is harmless) and the headers of every response, and writes one
 * line when it is done: id, method, route, status, duration, hash of the owner. No path, token, query or body.
 */
export function requestLog(log: Logger): MiddlewareHandler<Env> {
  return async (c, next) => {
    const started = performance.now()
    const theirs = c.req.header('x-request-id')
    const requestId = theirs !== undefined && harmless.test(theirs) ? theirs : randomUUID()
    c.set('requestId', requestId)
    c.set('log', log)
    c.set('headers', everyResponse(requestId))
    await next()
    const status = c.res.status
    log[levelOf(status)](entry(c, status, performance.now() - started), 'request')
  }
}

function levelOf(status: number): 'info' | 'warn' | 'error' {
  if (status === 500) return 'error'
  return status > 500 ? 'warn' : 'info'
}

function entry(c: Context, status: number, durationMs: number): Record<string, unknown> {
  const { principal, failure, requestId } = c.var
  const line: Record<string, unknown> = {
    event: 'request',
    request_id: requestId,
    method: c.req.method,
    route: routePath(c, -1),
    status,
    duration_ms: Math.round(durationMs * 100) / 100,
  }
  if (principal !== undefined) line.owner = ownerHash(principal)
  if (failure instanceof AppError) {
    line.code = failure.code
    if (failure.reason !== undefined) line.reason = failure.reason
  }
  if (status >= 500) line.err = causeOf(failure)
  return line
}

/** The error behind the answer; its message may say what no caller is told, but Postgres' DETAIL holds values. */
function causeOf(failure: unknown): unknown {
  const cause = failure instanceof AppError ? (failure.cause ?? failure) : failure
  if (!(cause instanceof Error)) return { type: typeof cause }
  const code = 'code' in cause ? cause.code : undefined
  return { type: cause.name, message: cause.message, code, stack: cause.stack }
}

const hashes = new WeakMap<Principal, string>()

/** Tells one owner's requests from another's in the log without naming anybody. */
function ownerHash(principal: Principal): string {
  let known = hashes.get(principal)
  if (known === undefined) {
    known = hash('sha256', principal.id).slice(0, 12)
    hashes.set(principal, known)
  }
  return known
}
