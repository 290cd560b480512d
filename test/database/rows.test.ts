import { expect, test } from 'vitest'
import { instant } from '../../src/database/statements/rows.ts'

test.each([
  ['2026-11-20 18:27:00.123+00', '2026-11-20T18:27:00.123Z'],
  ['2026-11-20 18:27:00.12+00', '2026-11-20T18:27:00.120Z'],
  ['2026-11-20 18:27:00+00', '2026-11-20T18:27:00.000Z'],
  ['2026-11-20 19:27:00.1+01', '2026-11-20T18:27:00.100Z'],
  ['2026-11-20 23:57:00.005+05:30', '2026-11-20T18:27:00.005Z'],
])('the instant %s is %s, whatever zone the session has', (text, expected) => {
  expect(instant(text)).toBe(expected)
})

test('another format is a defect and never guessed at', () => {
  expect(() => instant('20.11.2026 18:27:00')).toThrow(/unexpected format/)
})
