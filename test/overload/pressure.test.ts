import { describe, expect, test } from 'vitest'
import { Pressure, pressureLimits } from '../../src/http/load-shedding.ts'

const { lateMs, waiting: mostWaiting, mostShare, step } = pressureLimits
const late = lateMs
const inTime = lateMs - 1

/** Of a thousand requests, how many are refused. */
const refused = (pressure: Pressure) =>
  Array.from({ length: 1_000 }, () => pressure.refuses()).filter((by) => by !== undefined).length

const noting = (...timers: number[]) => {
  const pressure = new Pressure(() => 0)
  for (const timer of timers) pressure.note(timer)
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
