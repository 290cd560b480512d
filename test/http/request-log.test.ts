import { Hono } from 'hono'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { AppError, type ErrorCode } from '../../src/errors.ts'
import { problem, problemUnseen } from '../../src/http/answer/problem.ts'
import { recordUnseen, requestLog } from '../../src/http/gate/request-log.ts'
import type { Env } from '../../src/http/request/context.ts'
import { faultsOfLog } from '../support/log-check.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

type Case = { owner?: string; method?: string; fails?: AppError | Error; at?: string }

/** Some requests that end alike, and what the log has of them after a second. */
async function logged({ owner, method = 'GET', fails, at = '/thing/7' }: Case, times = 20) {
  const lines: string[] = []
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) })
  const app = new Hono<Env>()
  app.use(requestLog(log))
  app.use(async (c, next) => {
    if (owner !== undefined) c.set('principal', { id: owner, issuer: 'here', expiresAt: 1 })
    await next()
  })
  app.all('/thing/:id', (c) => {
    if (fails !== undefined) throw fails
    return c.text('done')
  })
  app.notFound((c) => problem(c, new AppError('not_found', 'There is nothing at this path.')))
  app.onError((error, c) => problem(c, error))
  for (let i = 0; i < times; i++) await app.request(at, { method })
  vi.advanceTimersByTime(1_000)
  expect(faultsOfLog(lines, new Set())).toEqual([])
  return lines.map((line) => JSON.parse(line))
}

const refused = (code: ErrorCode, reason?: string) =>
  new AppError(code, 'no', reason === undefined ? {} : { reason })

describe('one line and a sum, however many there are', () => {
  test.each<[what: string, answer: Case, kind: object]>([
    ['a health check', {}, { status: 200, route: '/thing/:id' }],
    ['a health check that fails', { fails: refused('unavailable') }, { status: 503, route: '/thing/:id' }],
    ['a preflight', { method: 'OPTIONS' }, { status: 200, route: '/thing/:id' }],
    ['no token', { fails: refused('unauthenticated', 'no_authorization') }, { reason: 'no_authorization' }],
    ['a bad token', { fails: refused('invalid_token', 'not_a_jwt') }, { reason: 'not_a_jwt' }],
    ['an old token', { fails: refused('token_expired', 'expired') }, { reason: 'expired' }],
    [
      'a scope that is missing',
      { fails: refused('forbidden', 'scope_missing') },
      { reason: 'scope_missing' },
    ],
    ['no keys', { fails: refused('unavailable', 'keys_unavailable') }, { reason: 'keys_unavailable' }],
    ['a limit', { fails: refused('rate_limited', 'rate_limit_address') }, { reason: 'rate_limit_address' }],
    ['no path', { at: '/nothing' }, { status: 404, code: 'not_found', route: '/*' }],
    ['no path, with a token', { owner: 'ann', at: '/nothing' }, { status: 404, route: '/*' }],
    ['a write without a token', { method: 'POST', fails: refused('unauthenticated') }, { status: 401 }],
    ...(
      [
        'malformed_request',
        'method_not_allowed',
        'payload_too_large',
        'unsupported_media_type',
        'validation_failed',
        'rate_limited',
      ] as const
    ).map((code): [string, Case, object] => [
      `an owner who gets ${code}`,
      { owner: 'ann', fails: refused(code) },
      { code, route: '/thing/:id' },
    ]),
    [
      'an owner beside too much',
      { owner: 'ann', fails: refused('unavailable', 'overload_queue') },
      { status: 503, reason: 'overload_queue' },
    ],
  ])('%s', async (_what, answer, kind) => {
    const lines = await logged(answer)
    expect(lines).toMatchObject([{ event: 'request' }, { event: 'requests_summed', count: 19, ...kind }])
    // A reason says it all; where there is none, the route tells one kind from another.
    expect('route' in lines[1]).toBe(!('reason' in lines[1]))
  })
})

describe('a line each', () => {
  test.each<[what: string, answer: Case]>([
    ['a write', { owner: 'ann', method: 'POST' }],
    ['a read', { owner: 'ann' }],
    ['a sign-in', { method: 'POST' }],
    ['a defect', { owner: 'ann', fails: new Error('wrong inside') }],
    ['a defect without a token', { fails: new Error('wrong inside') }],
    ['a database out of reach', { owner: 'ann', fails: refused('unavailable', 'database') }],
    ['a task that is missing', { owner: 'ann', fails: refused('not_found') }],
    ['a conflict', { owner: 'ann', fails: refused('conflict') }],
    ['a quota', { owner: 'ann', fails: refused('quota_exceeded') }],
    ['a stale version', { owner: 'ann', fails: refused('precondition_failed') }],
  ])('%s', async (_what, answer) => {
    const lines = await logged(answer)
    expect(lines.filter(({ event }) => event === 'request')).toHaveLength(20)
    expect(lines.filter(({ event }) => event === 'requests_summed')).toEqual([])
  })
})

test('paths that differ are one kind, so that a flood of them needs no memory', async () => {
  const lines: string[] = []
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) })
  const app = new Hono<Env>().use(requestLog(log))
  app.notFound((c) => problem(c, new AppError('not_found', 'There is nothing at this path.')))
  for (let i = 0; i < 1_000; i++)
    await app.request(`/nothing-${i}?q=${i}`, { headers: { 'x-request-id': `${i}` } })
  vi.advanceTimersByTime(1_000)
  expect(lines).toHaveLength(2)
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ count: 999 })
})

test('what the app does not get to see is summed up by its reason, defects never are', () => {
  const lines: string[] = []
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) })
  const unseen = (error: AppError) => recordUnseen(log, problemUnseen(error, false), error)
  for (let i = 0; i < 20; i++) {
    unseen(refused('malformed_request', 'not_http'))
    unseen(refused('malformed_request', 'too_slow'))
    unseen(new AppError('internal', 'wrong', { cause: new Error('inside') }))
  }
  vi.advanceTimersByTime(1_000)
  expect(faultsOfLog(lines, new Set())).toEqual([])
  const all = lines.map((line) => JSON.parse(line))
  expect(all.filter(({ code }) => code === 'internal')).toHaveLength(20)
  expect(all.filter(({ code }) => code !== 'internal')).toMatchObject([
    { event: 'request_unseen', reason: 'not_http' },
    { event: 'request_unseen', reason: 'too_slow' },
    { event: 'requests_summed', reason: 'not_http', count: 19 },
    { event: 'requests_summed', reason: 'too_slow', count: 19 },
  ])
})
