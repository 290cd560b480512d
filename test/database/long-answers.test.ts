import { expect, test } from 'vitest'
import { LongAnswers } from '../../src/database/long-answers.ts'
import type { OwnerCall } from '../../src/database/owner-batch.ts'
import { echo, writeAtGate } from './gate.ts'

const call = (weight: number, owner = 'ann'): OwnerCall => ({ owner, statement: echo, values: [], weight })
const characters = (many: number) => ['x'.repeat(many)]

test('whose answers are longer than their weight says weighs as much more with what comes next', () => {
  const answers = new LongAnswers()
  answers.note(call(2), characters(1_200_000))
  expect([1, 2, 5].map((weight) => answers.weigh(call(weight)).weight)).toEqual([40, 80, 200])
  expect(answers.weigh(call(Infinity)).weight).toBe(Infinity)
  expect(answers.weigh(call(2, 'bob')).weight).toBe(2)
})

test('usual answers weigh what their statement says, and so do writes', () => {
  const answers = new LongAnswers()
  answers.note(call(2), characters(5_000))
  answers.note(call(5), characters(75_000))
  answers.note(call(1), undefined)
  answers.note({ ...call(1), statement: writeAtGate }, characters(60_000))
  const asked = call(2)
  expect(answers.weigh(asked)).toBe(asked)
})

test('a short answer among long ones is no way out; many of them are', () => {
  const answers = new LongAnswers()
  const weight = () => answers.weigh(call(1)).weight
  answers.note(call(1), characters(150_000))
  answers.note(call(1), characters(10))
  expect(weight()).toBe(9)
  answers.note(call(1), characters(150_000))
  expect(weight()).toBe(10)
  for (let n = 0; n < 30; n++) answers.note(call(1), characters(10))
  expect(weight()).toBe(1)
})

test('of so many owners it remembers the latest', () => {
  const answers = new LongAnswers()
  const long = characters(30_000)
  for (let n = 0; n <= 10_000; n++) answers.note(call(1, `${n}`), long)
  expect(['0', '1', '10000'].map((owner) => answers.weigh(call(1, owner)).weight)).toEqual([1, 2, 2])
})
