import { expect, test } from 'vitest'
import { Deadline } from '../../src/database/failures/deadline.ts'
import { attempt } from '../../src/database/failures/retry.ts'

/** Time that passes only while somebody pauses, and chance that always draws the most. */
function stillClock({ random = 1 } = {}) {
  const pauses: number[] = []
  let now = 0
  return {
    pauses,
    clock: {
      now: () => now,
      random: () => random,
      sleep: async (ms: number) => {
        pauses.push(ms)
        now += ms
      },
    },
  }
}

const failing = (times: number) => {
  let calls = 0
  const work = async () => {
    if (++calls <= times) throw new Error(`${calls}`)
    return 'done'
  }
  return { work, calls: () => calls }
}

const limits = { most: 3, withinMs: 10_000 }
const always = () => true

test('work that comes through after two failures is done three times, with growing pauses drawn by lot', async () => {
  const { pauses, clock } = stillClock({ random: 0.5 })
  const { work, calls } = failing(2)
  expect(await attempt(work, always, { ...limits, ...clock })).toBe('done')
  expect([calls(), pauses]).toEqual([3, [50, 100]])
})

test('nothing is done more often than the limit says, and the last failure is told', async () => {
  const { work, calls } = failing(100)
  await expect(attempt(work, always, { ...limits, ...stillClock().clock })).rejects.toThrow('3')
  expect(calls()).toBe(3)
})

test('what may not be repeated is done once', async () => {
  const { pauses, clock } = stillClock()
  const { work, calls } = failing(1)
  await expect(attempt(work, () => false, { ...limits, ...clock })).rejects.toThrow('1')
  expect([calls(), pauses]).toEqual([1, []])
})

test('no attempt begins after the deadline, nor a pause that would end after it', async () => {
  const { pauses, clock } = stillClock()
  const { work, calls } = failing(100)
  await expect(attempt(work, always, { most: 100, withinMs: 350, ...clock })).rejects.toThrow('3')
  expect([calls(), pauses]).toEqual([3, [100, 200]])
})

test('who waits longer than the deadline is let go, the oldest first, and the others wait on', async () => {
  let now = 0
  const deadline = new Deadline({ afterMs: 100, everyMs: 3_600_000, now: () => now })
  const old = Promise.withResolvers<string>()
  const young = Promise.withResolvers<string>()
  const late = () => new Error('late')
  const first = deadline.watch(old.promise, late)
  now = 50
  const second = deadline.watch(young.promise, late)
  now = 99
  deadline.sweep()
  now = 100
  deadline.sweep()
  await expect(first).rejects.toThrow('late')
  young.resolve('in time')
  expect(await second).toBe('in time')
  now = 1_000
  deadline.sweep()
  deadline.close()
})

test('a failure before the deadline is told as it is', async () => {
  const deadline = new Deadline({ afterMs: 100, everyMs: 3_600_000 })
  await expect(deadline.watch(Promise.reject(new Error('at once')), () => new Error('late'))).rejects.toThrow(
    'at once',
  )
  deadline.close()
})
