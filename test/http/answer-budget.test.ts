import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { problem } from '../../src/http/answer/problem.ts'
import { AnswerBudget } from '../../src/http/request/answer-budget.ts'
import type { Env } from '../../src/http/request/context.ts'

const MB = 2 ** 20
const codeOf = (work: () => void) => {
  try {
    work()
    return 'taken'
  } catch (error) {
    return error instanceof AppError ? error.code : error
  }
}

test('an owner holds no more than an eighth of what others leave free', () => {
  const budget = new AnswerBudget(64 * MB)
  const codes = Array.from({ length: 10 }, () => codeOf(() => budget.hold('ann').expect(MB)))
  expect(codes).toEqual([...Array(8).fill('taken'), 'rate_limited', 'rate_limited'])
  expect(budget.held).toBe(8 * MB)
})

test('an expectation that was too low is corrected, and refused when it does not fit', () => {
  const budget = new AnswerBudget(64 * MB)
  const fits = budget.hold('ann')
  fits.expect(1_000)
  fits.settle('x'.repeat(MB))
  expect(budget.held).toBe(MB)
  const tooLong = budget.hold('ann')
  tooLong.expect(1_000)
  expect(codeOf(() => tooLong.settle('x'.repeat(8 * MB)))).toBe('rate_limited')
  // The refusal is a short response of its own.
  tooLong.settle('x'.repeat(300))
  expect(budget.held).toBe(MB + 300)
})

test('what is released is free again, once', () => {
  const budget = new AnswerBudget(64 * MB)
  const held = budget.hold('ann')
  held.expect(8 * MB)
  expect(codeOf(() => budget.hold('ann').expect(MB))).toBe('rate_limited')
  held.release()
  held.release()
  expect(budget.held).toBe(0)
  expect(codeOf(() => budget.hold('ann').expect(8 * MB))).toBe('taken')
})

test('however many owners read nothing, the whole stays in bounds and a small response of another fits', () => {
  const budget = new AnswerBudget(64 * MB)
  for (let owner = 0; owner < 500; owner++)
    for (let asked = 0; asked < 40; asked++) codeOf(() => budget.hold(`loud ${owner}`).expect(MB / 16))
  expect(budget.held).toBeLessThanOrEqual(64 * MB)
  expect(codeOf(() => budget.hold('quiet').expect(10_000))).toBe('taken')
})

test('the bytes of a response are its own, and giving them back touches no other', () => {
  for (const length of [20_000, 40_000, MB]) {
    const [one, other] = [new AnswerBudget(64 * MB).hold('ann'), new AnswerBudget(64 * MB).hold('bob')]
    one.settle('x'.repeat(length))
    const kept = other.settle('語'.repeat(length))
    one.free()
    one.free()
    expect(Buffer.from(kept ?? '').toString()).toBe('語'.repeat(length))
  }
})

test('an owner who holds nothing is told that the server is full', () => {
  const budget = new AnswerBudget(MB)
  expect(codeOf(() => budget.hold('ann').expect(MB))).toBe('unavailable')
})

test('a refusal reaches an owner whose share is used up', async () => {
  const budget = new AnswerBudget(8 * MB)
  budget.hold('ann').expect(MB)
  const app = new Hono<Env>()
  app.use((c, next) => {
    c.set('requestId', 'same')
    c.set('headers', {})
    c.set('held', budget.hold('ann'))
    return next()
  })
  app.get('/', () => {
    throw new AppError('not_found', 'Task not found.')
  })
  app.onError((error, c) => problem(c, error))
  expect((await app.request('/')).status).toBe(404)
  expect(budget.held).toBe(MB)
})
