import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sabotages } from '../sabotage/sabotages.ts'

test.each(sabotages)(
  'the sabotage of "$name" still has exactly one place to go',
  ({ file, find, replace }) => {
    expect(readFileSync(file, 'utf8').split(find)).toHaveLength(2)
    expect(replace).not.toBe(find)
  },
)

test('there are at least twenty, each with a name of its own', () => {
  expect(new Set(sabotages.map(({ name }) => name)).size).toBe(sabotages.length)
  expect(sabotages.length).toBeGreaterThanOrEqual(20)
})
