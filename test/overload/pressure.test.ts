import { describe, expect, test } from 'vitest'
import { Pressure, pressureLimits } from '../../src/http/gate/load-shedding.ts'

const { lateMs, waiting: mostWaiting, waitMs, mostShare, step } = pressureLimits
const late = lateMs
const inTime = lateMs - 1

/** Of a thousand requests, how many are refused. */
const refused = (pressure: Pressure) =>
  Array.from({ length: 1_000 }, () => pressure.refuses()).filter((by) => by !== undefined).length

const noting = (...timers: number[]) => {
  const pressure = new Pressure(() => 0)
  for (const lateMs of timers) pressure.note({ lateMs, answered: 0, overMs: 100 })
  return pressure
}

describe('statements that wait', () => {
  test('refuse whoever comes, as long as they are as many, and nobody from the moment they are fewer', () => {
    let waiting = mostWaiting - 1
    const pressure = new Pressure(() => waiting)
    expect(refused(pressure)).toBe(0)
    waiting = mostWaiting
    expect(pressure.refuses()).toBe('queue')
    expect(refused(pressure)).toBe(1_000)
    waiting = mostWaiting - 1
    expect(refused(pressure)).toBe(0)
  })

  test('refuse nobody who is answered in time: the more are answered, the more may wait', () => {
    let waiting = 10 * mostWaiting
    const pressure = new Pressure(() => waiting)
    expect(refused(pressure)).toBe(1_000)
    // Twice as many a millisecond as would be enough.
    const perMs = (2 * waiting) / waitMs
    for (let look = 0; look < 20; look++) pressure.note({ lateMs: 0, answered: 100 * perMs, overMs: 100 })
    expect(refused(pressure)).toBe(0)
    waiting *= 2
    expect(refused(pressure)).toBe(1_000)
    // And when nothing is answered any more, it is forgotten.
    waiting = 2 * mostWaiting
    expect(refused(pressure)).toBe(0)
    for (let look = 0; look < 10; look++) pressure.note({ lateMs: 0, answered: 0, overMs: 100 })
    expect(refused(pressure)).toBe(1_000)
  })
})

describe('a late event loop', () => {
  test('refuses nobody while timers are in time', () => {
    expect(refused(noting(...Array(100).fill(inTime)))).toBe(0)
  })

  test('refuses one in twenty after a single pause, and nobody once a timer was in time again', () => {
    expect(refused(noting(late))).toBe(1_000 * step)
    expect(refused(noting(late, inTime))).toBe(0)
  })

  test('refuses more the longer it lasts, and never more than three in ten', () => {
    const shares = [1, 2, 4, 6, 60].map((looks) => refused(noting(...Array(looks).fill(late))))
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares.at(-1)).toBeCloseTo(1_000 * mostShare, -1)
  })

  test('refuses evenly: never two in a row', () => {
    const pressure = noting(...Array(60).fill(late))
    const outcomes = Array.from({ length: 1_000 }, () => pressure.refuses() ?? 'served')
    expect(outcomes).toContain('event_loop')
    expect(outcomes.join(' ')).not.toContain('event_loop event_loop')
  })

  test('is forgotten in as many looks as it took', () => {
    const long = Array(60).fill(late)
    expect(refused(noting(...long, ...Array(Math.ceil(mostShare / step)).fill(inTime)))).toBe(0)
  })
})
