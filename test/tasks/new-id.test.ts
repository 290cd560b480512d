import { afterEach, expect, test, vi } from 'vitest'
import { newId } from '../../src/tasks/new-id.ts'

afterEach(() => void vi.useRealTimers())

test('an id is a UUID of version 7 that tells when it was made', () => {
  for (const time of ['1970-01-01T00:00:00.001Z', '2026-11-20T12:34:56.789Z', '9999-12-31T23:59:59.999Z']) {
    vi.useFakeTimers({ now: new Date(time) })
    const id = newId()
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(Date.parse(time))
  }
})

test('all that is not time is chance', () => {
  vi.useFakeTimers({ now: 0 })
  const ids = Array.from({ length: 2_000 }, newId)
  expect(new Set(ids).size).toBe(ids.length)
  const random = ids.map((id) => BigInt(`0x${id.slice(15).replaceAll('-', '')}`))
  // Each of the 74 bits behind the version, the variant's two left out, is set about half of the time.
  for (let bit = 0n; bit < 76n; bit++) {
    if (bit === 62n || bit === 63n) continue
    const set = random.filter((value) => (value >> bit) & 1n).length
    expect(set).toBeGreaterThan(800)
    expect(set).toBeLessThan(1_200)
  }
})
