import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Level, pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { isCounted, writeSums } from '../../src/events/sums.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A log and what stands in it, without what every line has. */
function openLog(level: Level = 'info') {
  const lines: string[] = []
  const log = pino(
    { level, base: null, timestamp: false },
    { write: (line: string) => void lines.push(line) },
  )
  const take = () =>
    lines.splice(0).map((line) => {
      const { msg, event, ...fields } = JSON.parse(line)
      expect(event).toBe('requests_summed')
      return fields
    })
  return { log, take }
}

const expired = { status: 401, code: 'token_expired', reason: 'expired' }
const live = { status: 200, code: undefined, route: '/livez' }

test('the first of a kind is written in full, and those that follow are one line with their number a second later', () => {
  const { log, take } = openLog()
  expect(isCounted(log, 'info', expired)).toBe(false)
  for (let i = 0; i < 500; i++) expect(isCounted(log, 'info', expired)).toBe(true)
  vi.advanceTimersByTime(999)
  expect(take()).toEqual([])
  vi.advanceTimersByTime(1)
  expect(take()).toEqual([{ level: 30, ...expired, count: 500 }])
})

test('each second begins with one in full; one that stays alone has no sum', () => {
  const { log, take } = openLog()
  for (const second of [1, 2, 3]) {
    expect(isCounted(log, 'info', expired)).toBe(false)
    if (second === 2) isCounted(log, 'info', expired)
    vi.advanceTimersByTime(1_000)
    expect(take()).toEqual(second === 2 ? [{ level: 30, ...expired, count: 1 }] : [])
  }
})

test('kinds are counted apart, by status, code, reason and route; the level is that of the answer', () => {
  const { log, take } = openLog()
  const kinds = [
    expired,
    { ...expired, reason: 'signature_wrong' },
    { ...expired, code: 'invalid_token' },
    { ...expired, status: 403 },
    live,
    { ...live, route: '/readyz' },
  ]
  for (const kind of kinds) expect(isCounted(log, 'info', kind)).toBe(false)
  const overload = { status: 503, code: 'unavailable', reason: 'overload_queue' }
  expect(isCounted(log, 'warn', overload)).toBe(false)
  for (let i = 0; i < 2; i++) for (const kind of kinds) isCounted(log, 'info', kind)
  isCounted(log, 'warn', overload)
  vi.advanceTimersByTime(1_000)
  const { code: _, ...summedLive } = live
  expect(take()).toEqual([
    ...kinds.slice(0, 4).map((kind) => ({ level: 30, ...kind, count: 2 })),
    { level: 30, ...summedLive, count: 2 },
    { level: 30, ...summedLive, route: '/readyz', count: 2 },
    { level: 40, ...overload, count: 1 },
  ])
})

test('logs count apart', () => {
  const [one, other] = [openLog(), openLog()]
  isCounted(one.log, 'info', expired)
  expect(isCounted(other.log, 'info', expired)).toBe(false)
  isCounted(one.log, 'info', expired)
  writeSums(other.log)
  expect(other.take()).toEqual([])
  writeSums(one.log)
  expect(one.take()).toHaveLength(1)
})

test('at the level debug nothing is counted', () => {
  const { log, take } = openLog('debug')
  for (let i = 0; i < 3; i++) expect(isCounted(log, 'info', expired)).toBe(false)
  vi.advanceTimersByTime(1_000)
  expect(take()).toEqual([])
})

test('what is counted is told at once when it is asked for, and not again', () => {
  const { log, take } = openLog()
  for (let i = 0; i < 3; i++) isCounted(log, 'info', expired)
  writeSums(log)
  expect(take()).toEqual([{ level: 30, ...expired, count: 2 }])
  writeSums(log)
  vi.advanceTimersByTime(1_000)
  expect(take()).toEqual([])
})

const program = (end: string) => `
  const { log, flush } = await (await import('./src/log.ts')).createLog('info')
  const { isCounted } = await import('./src/events/sums.ts')
  for (let i = 0; i < 5; i++) isCounted(log, 'info', { status: 401, code: 'unauthenticated' })
  process.stderr.write(process.getActiveResourcesInfo().filter((one) => one === 'Timeout').join())
  ${end}`

test.each([
  ['by itself', '', 0],
  ['by a flush and an exit', 'flush(); process.exit(3)', 3],
  ['by an exit', 'process.exit(3)', 3],
])('a process that ends %s tells what it has counted, and no timer held it up', async (_how, end, code) => {
  const ended = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    program(end),
  ]).catch((error) => error)
  expect([ended.code ?? 0, ended.stderr]).toEqual([code, ''])
  expect(JSON.parse(ended.stdout)).toMatchObject({ event: 'requests_summed', count: 4 })
})
