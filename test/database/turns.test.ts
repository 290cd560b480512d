import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Turns } from '../../src/database/lanes/turns.ts'

type Job = { owner: string; queuedAt: number }
const job = (owner: string, queuedAt = 0): Job => ({ owner, queuedAt })

function taken(turns: Turns<Job>): string[] {
  const owners: string[] = []
  for (let next = turns.take(); next !== undefined; next = turns.take())
    owners.push(`${next.owner}${next.queuedAt}`)
  return owners
}

describe('owners take turns', () => {
  test('whoever asks most waits behind one job of everybody else', () => {
    const turns = new Turns<Job>(100)
    for (const at of [1, 2, 3, 4]) turns.add(job('a', at))
    turns.add(job('b', 5))
    turns.add(job('c', 6))
    turns.add(job('b', 7))
    expect(taken(turns)).toEqual(['a1', 'b5', 'c6', 'a2', 'b7', 'a3', 'a4'])
    expect(turns.size).toBe(0)
  })

  test('a newcomer is never behind a second job of anybody', () => {
    const turns = new Turns<Job>(100)
    for (const at of [1, 2, 3]) for (const owner of ['a', 'b']) turns.add(job(owner, at))
    expect(turns.take()).toEqual(job('a', 1))
    turns.add(job('new'))
    expect(taken(turns).slice(0, 3)).toEqual(['b1', 'a2', 'new0'])
  })

  test('the queue is bounded over all owners, and a place that was given back is free again', () => {
    const turns = new Turns<Job>(2)
    expect([turns.add(job('a')), turns.add(job('b')), turns.add(job('c'))]).toEqual([true, true, false])
    turns.take()
    expect([turns.add(job('c')), turns.add(job('c'))]).toEqual([true, false])
    expect(taken(turns)).toEqual(['b0', 'c0'])
  })

  test('what waited too long is taken out of every owner’s row, and nothing else', () => {
    const turns = new Turns<Job>(100)
    for (const at of [1, 5, 9]) for (const owner of ['a', 'b']) turns.add(job(owner, at))
    turns.add(job('old', 2))
    expect(
      turns
        .takeOlderThan(6)
        .map(({ owner, queuedAt }) => `${owner}${queuedAt}`)
        .sort(),
    ).toEqual(['a1', 'a5', 'b1', 'b5', 'old2'])
    expect(turns.size).toBe(2)
    expect(taken(turns)).toEqual(['a9', 'b9'])
  })

  test('nothing is lost, doubled, or out of its owner’s order, whatever happens', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ add: fc.constantFrom('a', 'b', 'c', 'd') }) },
      { weight: 2, arbitrary: fc.constant('take' as const) },
      { weight: 1, arbitrary: fc.record({ older: fc.nat(40) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 12 }), (steps, most) => {
        const turns = new Turns<Job>(most, most, 2)
        const [inside, out] = [new Set<Job>(), new Set<Job>()]
        const leave = (gone: Job) => {
          expect(inside.delete(gone)).toBe(true)
          for (const other of inside)
            if (other.owner === gone.owner) expect(other.queuedAt).toBeGreaterThan(gone.queuedAt)
          out.add(gone)
        }
        for (const [at, step] of steps.entries()) {
          if (step === 'take') {
            const next = turns.take()
            expect(next === undefined).toBe(inside.size === 0)
            if (next !== undefined) leave(next)
          } else if ('older' in step) {
            const old = turns.takeOlderThan(step.older)
            expect(old.every(({ queuedAt }) => queuedAt < step.older)).toBe(true)
            for (const each of old.toSorted((a, b) => a.queuedAt - b.queuedAt)) leave(each)
            expect([...inside].every(({ queuedAt }) => queuedAt >= step.older)).toBe(true)
          } else {
            const added = job(step.add, at)
            if (turns.add(added)) inside.add(added)
            else expect(inside.size).toBe(most)
          }
          expect(turns.size).toBe(inside.size)
          const each = ['a', 'b', 'c', 'd'].map(
            (name) => [...inside].filter(({ owner }) => owner === name).length,
          )
          expect(turns.ready).toBe(each.reduce((sum, count) => sum + Math.min(count, 2), 0))
        }
      }),
    )
  })
})
