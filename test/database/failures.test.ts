import { readFileSync } from 'node:fs'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import {
  connectsSoon,
  failedConnectOf,
  failedConnects,
  failedConnectsWithoutCode,
  pauseAfter,
  unreachable,
} from '../../src/database/failures/failed-connects.ts'
import {
  asAppError,
  ConnectionLost,
  failureOf,
  failuresByState,
  failuresWithoutState,
  mayRepeat,
} from '../../src/database/failures/failures.ts'
import { taskQuotas } from '../../src/tasks/quotas.ts'
import { faults } from '../faults/faults.ts'

/** An error as `pg` makes it of what a server says. */
function said(code: string, message = 'said', severity = 'ERROR'): pg.DatabaseError {
  const error = new pg.DatabaseError(message, message.length, 'error')
  return Object.assign(error, { code, severity })
}

const nodes = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

const quota =
  'Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.'

describe('a failed batch', () => {
  test.each([
    ['a serialization failure', said('40001'), true, true, 'unavailable'],
    ['a deadlock', said('40P01'), true, true, 'unavailable'],
    ['completion unknown', said('40003'), true, false, 'unavailable'],
    ['a changed table', said('0A000'), true, true, 'unavailable'],
    ['starting', said('57P03', 'starting up', 'FATAL'), true, true, 'unavailable'],
    ['no connection left', said('53300', 'sorry, too many clients', 'FATAL'), true, true, 'unavailable'],
    ['terminated', said('57P01', 'terminating', 'FATAL'), true, false, 'unavailable'],
    ['crashed', said('57P02', 'terminating', 'FATAL'), true, false, 'unavailable'],
    ['a lost connection', new ConnectionLost('x'), true, false, 'unavailable'],
    ['a connection exception', said('08006'), true, false, 'unavailable'],
    ['a statement time-out', said('57014'), false, false, 'unavailable'],
    ['a lock time-out', said('55P03'), false, false, 'unavailable'],
    ['read only', said('25006'), false, false, 'unavailable'],
    ['disk full', said('53100'), false, false, 'unavailable'],
    ['an input/output error', said('58030'), false, false, 'unavailable'],
    ['asleep', said('XX000', "Couldn't connect to compute node"), true, true, 'unavailable'],
    ['no control plane', said('', 'Control plane request failed', ''), true, true, 'unavailable'],
    ['a spent quota', said('XX000', quota), false, false, 'unavailable'],
    ['too many tasks', said('DQ001'), false, false, 'quota_exceeded'],
    ['too many bytes', said('DQ002'), false, false, 'quota_exceeded'],
    ['a missing table', said('42P01'), false, false, 'internal'],
    ['bad input', said('22P02', 'Control plane request failed'), false, false, 'internal'],
    ['a violated constraint', said('23505', quota), false, false, 'internal'],
    ['an internal error', said('XX000'), false, false, 'internal'],
    ['anything that Postgres did not say', new TypeError('x'), false, false, 'internal'],
    ['a code of Node that looks like none of ours', nodes('57P03'), false, false, 'internal'],
  ] as const)('%s', (_what, error, read, write, code) => {
    expect([mayRepeat(error, 'read'), mayRepeat(error, 'write')]).toEqual([read, write])
    const answer = asAppError(error)
    expect([answer.code, answer.retryAfterSeconds]).toEqual([code, code === 'unavailable' ? 1 : undefined])
    expect(answer.cause).toBe(error)
  })
})

test.each([
  ['DQ001', 'task_quota', 'Task limit reached (1,234). Delete tasks first.'],
  ['DQ002', 'storage_quota', 'Storage limit reached (1.5 MB). Delete or shorten tasks first.'],
])('%s says which limit applies, and what to do', (state, reason, detail) => {
  const answer = asAppError(said(state), taskQuotas({ taskQuota: 1_234, storageQuotaBytes: 1_500_000 }))
  expect([answer.reason, answer.detail]).toEqual([reason, detail])
})

describe('a failed attempt to connect', () => {
  test.each([
    ['nothing listens', nodes('ECONNREFUSED'), 'soon'],
    ['reset', nodes('ECONNRESET'), 'soon'],
    ['a name service that does not answer', nodes('EAI_AGAIN'), 'soon'],
    ['a name that is not there', nodes('ENOTFOUND'), 'later'],
    ['a time-out', nodes('ETIMEDOUT'), 'soon'],
    [
      'a time-out of ours',
      new ConnectionLost('Connection timeout', { cause: new Error('Connection terminated unexpectedly') }),
      'later',
    ],
    ['a code that is no row', nodes('constructor'), 'later'],
    ['hung up on', new Error('Connection terminated unexpectedly'), 'soon'],
    ['hung up on meanwhile', new Error('Client was closed and is not queryable'), 'soon'],
    ['starting', said('57P03'), 'soon'],
    ['no connection left', said('53300'), 'soon'],
    ['asleep', said('XX000', "Couldn't connect to compute node"), 'soon'],
    [
      'asleep, told over HTTP',
      said('', 'Server error (HTTP status 500): Control plane request failed', ''),
      'soon',
    ],
    ['a spent quota', said('XX000', quota), 'rarely'],
    ['a spent quota under a state that else passes', said('53300', quota), 'rarely'],
    ['a wrong password', said('28P01'), 'rarely'],
    ['no such database', said('3D000'), 'rarely'],
    ['what nobody foresaw', new Error('x'), 'later'],
    ['nothing listens, told over HTTP', new Error('fetch failed', { cause: nodes('ECONNREFUSED') }), 'soon'],
    [
      'no password',
      new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
      'rarely',
    ],
    [
      'a wrong password, told over HTTP',
      new Error("password authentication failed for user 'ann'"),
      'rarely',
    ],
  ] as const)('%s', (_what, error, next) => {
    expect(failedConnectOf(error).next).toBe(next)
    expect(connectsSoon(error)).toBe(next === 'soon')
    expect(pauseAfter(error)).toBe(next === 'rarely' ? 30_000 : 400)
  })
})

describe('whoever starts a process is told in one sentence', () => {
  test.each([
    [
      'what the network says',
      nodes('EHOSTUNREACH'),
      'there is no way to its host: check the host and the network',
    ],
    [
      'a server without TLS',
      new Error('The server does not support SSL connections'),
      /speaks no TLS: .*sslmode=/,
    ],
    [
      'a certificate',
      nodes('DEPTH_ZERO_SELF_SIGNED_CERT'),
      /certificate is not trusted: .*NODE_EXTRA_CA_CERTS/,
    ],
    [
      'no password',
      new Error('SASL: client password must be a string'),
      /the user or the password is wrong, or the password is missing: copy/,
    ],
    ['nothing that answers', new ConnectionLost('Connection timeout'), /answers as a Postgres does: check/],
    [
      'what nobody foresaw, by its code and without a part of the URL',
      Object.assign(new Error('at ann:word@db.internal'), { code: 'XX999' }),
      'the connection failed (XX999): check the host, the port, the user and the parameters of the URL',
    ],
  ])('%s', (_what, error, sentence) => {
    const told = unreachable(error, 'DATABASE_URL')
    expect(told.exitCode).toBe(69)
    const why = /^DATABASE_URL cannot be used: ([^\n]+)\.$/.exec(told.message)?.[1]
    if (typeof sentence === 'string') expect(why).toBe(sentence)
    else expect(why).toMatch(sentence)
  })
})

describe('docs/FAULTS.md', () => {
  const paper = readFileSync('docs/FAULTS.md', 'utf8')
  const rowsOf = (heading: string) =>
    (paper.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
      .split('\n')
      .filter((line) => /^\| /.test(line))
  const sorted = <T>(table: Readonly<Record<string, T>>) =>
    Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1))
  const repeated = { anything: 'reads and writes', reads: 'reads', nothing: 'nothing' }
  const answers = { unavailable: '503', internal: '500', quota_exceeded: '409' }

  test('has the table of failed batches as the code has it', () => {
    const rows = [...sorted(failuresByState), ...Object.entries(failuresWithoutState)].map(
      ([key, { means, again, code }]) => {
        const shown = Object.hasOwn(failuresByState, key) ? `\`${key}\`` : key
        return `| ${shown} | ${means} | ${repeated[again]} | ${answers[code]} |`
      },
    )
    expect(rowsOf('A batch fails').slice(1).join('\n')).toBe(
      ['| --- | --- | --- | --- |', ...rows].join('\n'),
    )
  })

  test('has the table of failed attempts to connect as the code has it', () => {
    const rows = [...sorted(failedConnects), ...Object.entries(failedConnectsWithoutCode)].map(
      ([key, { means, next, remedy }]) =>
        `| ${Object.hasOwn(failedConnects, key) ? `\`${key}\`` : key} | ${means} | ${next} | ${remedy} |`,
    )
    expect(rowsOf('A connection fails').slice(1).join('\n')).toBe(
      ['| --- | --- | --- | --- |', ...rows].join('\n'),
    )
  })

  test('has a row for each fault that is injected, with the answers it may give', () => {
    const rows = rowsOf('Injected').map((line) => line.split('|').map((cell) => cell.trim()))
    for (const { name, read, write } of faults)
      expect(rows).toContainEqual(['', name, read.join(' or '), write.join(' or '), expect.any(String), ''])
  })
})

test('the table has no row that its class already says', () => {
  for (const [state, row] of Object.entries(failuresByState)) {
    const byClass = failuresByState[state.slice(0, 2)]
    if (state.length > 2 && byClass !== undefined)
      expect([byClass.again, byClass.code]).not.toEqual([row.again, row.code])
    expect(failureOf(said(state)).means).toBe(row.means)
  }
})
