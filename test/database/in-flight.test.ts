import { expect, test } from 'vitest'
import type { Batch } from '../../src/database/batch/batch.ts'
import type { Lane } from '../../src/database/batch/lane.ts'
import { InFlight } from '../../src/database/lanes/in-flight.ts'

const lane = (): Lane => ({
  inFlight: 0,
  since: 0,
  send: () => undefined,
  close: () => Promise.resolve(),
  destroy: () => undefined,
  retire: () => undefined,
})
const batch = (weight: number, owner = 'ann'): Batch => ({ owner, questions: [], access: 'read', weight })

test('a connection has room as long as all that is on it weighs no more than it takes', () => {
  const inFlight = new InFlight(16)
  const one = lane()
  const settled = [5, 5, 5].map((weight) => inFlight.add(one, batch(weight)))
  expect([inFlight.loadOn(one), inFlight.loadOn(lane())]).toEqual([15, 0])
  expect([1, 2].map((weight) => inFlight.hasRoom(one, batch(weight)))).toEqual([true, false])
  settled[1]?.()
  expect(inFlight.loadOn(one)).toBe(10)
  expect(inFlight.hasRoom(one, batch(6))).toBe(true)
})

test('what is heavy fills a connection and no more, and leaves nothing behind', () => {
  const inFlight = new InFlight(16)
  expect([15, 16, 17, Infinity].map((weight) => inFlight.isHeavy(batch(weight)))).toEqual([
    false,
    true,
    true,
    true,
  ])
  const one = lane()
  const light = inFlight.add(one, batch(3))
  const heavy = inFlight.add(one, batch(Infinity))
  const another = inFlight.add(one, batch(500))
  expect(inFlight.loadOn(one)).toBe(35)
  heavy()
  another()
  expect(inFlight.loadOn(one)).toBe(3)
  light()
  expect(inFlight.loadOn(one)).toBe(0)
  expect(inFlight.hasRoom(one, batch(Infinity))).toBe(true)
})

test('of each owner it knows how many there are, and where the last heavy one was sent while there is one', () => {
  const inFlight = new InFlight(16)
  const [one, other] = [lane(), lane()]
  const settled = [
    inFlight.add(one, batch(Infinity)),
    inFlight.add(other, batch(16)),
    inFlight.add(one, batch(1)),
    inFlight.add(one, batch(Infinity, 'bob')),
  ]
  expect(inFlight.of('ann').inFlight).toBe(3)
  expect(inFlight.of('ann').heavyOn).toBe(other)
  expect(inFlight.of('bob').heavyOn).toBe(one)
  settled[1]?.()
  expect(inFlight.of('ann').heavyOn).toBe(other)
  settled[0]?.()
  expect(inFlight.of('ann')).toMatchObject({ inFlight: 1, heavyOn: undefined })
  settled[2]?.()
  expect(inFlight.of('ann')).toMatchObject({ inFlight: 0, heavyOn: undefined })
  expect(inFlight.of('bob').inFlight).toBe(1)
})
