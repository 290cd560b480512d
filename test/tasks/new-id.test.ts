import { afterEach, expect, test, vi } from 'vitest'
import { newId } from '../../src/api/new-id.ts'

afterEach(() => void vi.useRealTimers())

test('an id is a UUID of version 7 that tells when it was made', () => {
  for (const time of ['1970-01-01T00:00:00.001Z', '2026-11-20T12:34:56.789Z', '9999-12-31T23:59:59.999Z']) {
    vi.useFakeTimers({ now: new Date(time) })
    const id = newId()
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(Date.parse(time))
  }
})

test('ids sort in the order in which they were made, also within a millisecond, and when it is another one', () => {
  vi.useFakeTimers({ now: 1_000 })
  const first = Array.from({ length: 4_096 }, newId)
  vi.setSystemTime(1_001)
  const ids = [...first, ...Array.from({ length: 100 }, newId)]
  expect(ids.toSorted()).toEqual(ids)
  expect(ids[4_096]?.slice(14, 18)).toBe('7000')
})

test('all that is not time or count is chance', () => {
  vi.useFakeTimers({ now: 0 })
  const ids = Array.from({ length: 10_000 }, newId)
  expect(new Set(ids).size).toBe(ids.length)
  const random = ids.slice(0, 2_000).map((id) => BigInt(`0x${id.slice(19).replaceAll('-', '')}`))
  // Each of the 62 bits behind the variant's two is set about half of the time.
  for (let bit = 0n; bit < 62n; bit++) {
    const set = random.filter((value) => (value >> bit) & 1n).length
    expect(set).toBeGreaterThan(800)
    expect(set).toBeLessThan(1_200)
  }
})
