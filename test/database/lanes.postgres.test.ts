import { expect, test } from 'vitest'
import { laneLimits } from '../../src/database/lanes.ts'
import { listTasks } from '../../src/tasks/statements.ts'
import {
  echo,
  type Gated,
  lightNap,
  openGated,
  outcome,
  readAtGate,
  until,
  weighedAtGate,
  writeAtGate,
} from './gate.ts'

test('connections open as the load asks for them, up to the limit', async () => {
  await using gated = await openGated({ connections: 3 })
  const { database } = gated
  for (const word of ['1', '2', '3', '4']) expect(await database.asOwner('ann', echo, { word })).toBe(word)
  expect(await gated.backends()).toHaveLength(1)
  await gated.shut()
  const answers: Promise<unknown>[] = []
  const one = () => answers.push(database.asOwner(`ann ${answers.length}`, readAtGate, { word: 'x' }))
  let looks = 0
  await until(async () => {
    // Fewer than one connection could take: it is not the lack of room that opens another. One that is asked for
    // while another opens opens none.
    if (looks++ % 5 === 0 && answers.length < 30) one()
    return (await gated.backends('waiting')).length === 3
  })
  for (let i = 0; i < 10; i++) one()
  await gated.open()
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['x']))
  expect(await gated.backends()).toHaveLength(3)
  expect(gated.proxy.accepted()).toBe(3)
})

test('the writes of one owner on the only connection open another, for the reads of others', async () => {
  await using gated = await openGated({ connections: 8 })
  const { database } = gated
  await gated.shut()
  const writes = [1, 2, 3, 4].map((n) => database.asOwner('ann', writeAtGate, { word: `${n}` }))
  await until(() => gated.proxy.accepted() === 2)
  // Until the second connection serves, whoever asks stands behind the writes too.
  const quick: Promise<unknown>[] = []
  let served = 0
  let looks = 0
  await until(() => {
    if (looks++ % 5 === 0 && quick.length < 25)
      quick.push(database.asOwner(`bob ${quick.length}`, echo, { word: 'quick' }).then(() => served++))
    return served > 0
  })
  // Those that follow want no third one: they would not be sent over it.
  for (const n of [5, 6, 7]) writes.push(database.asOwner('ann', writeAtGate, { word: `${n}` }))
  for (let look = 0; look < 10; look++) await gated.backends()
  expect(gated.proxy.accepted()).toBe(2)
  await gated.open()
  await Promise.all([...writes, ...quick])
})

test('what only its own owner holds back opens no connection', async () => {
  await using gated = await openGated({ connections: 8, inFlightOfOne: 3 })
  const { database } = gated
  await gated.shut()
  const answers: Promise<unknown>[] = []
  for (let n = 0; n < 20; n++) {
    answers.push(database.asOwner('ann', readAtGate, { word: 'x' }))
    // Time for another to be opened.
    for (let look = 0; look < 10; look++) await gated.backends()
  }
  expect(gated.proxy.accepted()).toBeLessThanOrEqual(3)
  await gated.open()
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['x']))
})

test('the least busy connection takes the next batch, so a slow one holds up nobody', async () => {
  await using gated = await openGated({ connections: 2 })
  const { database } = gated
  await gated.shut()
  const slow = database.asOwner('ann', readAtGate, { word: 'slow' })
  const behind = database.asOwner('bea', readAtGate, { word: 'behind' })
  // Until the second connection serves, whoever asks stands behind the slow one too.
  const early: Promise<unknown>[] = []
  let served = false
  let looks = 0
  await until(() => {
    if (looks++ % 5 === 0 && early.length < 28)
      early.push(database.asOwner(`cyn ${looks}`, echo, { word: 'early' }).then(() => (served = true)))
    return served
  })
  for (let i = 0; i < 20; i++) expect(await database.asOwner('bob', echo, { word: 'quick' })).toBe('quick')
  expect(await gated.backends('waiting')).toHaveLength(1)
  await gated.open()
  expect(await Promise.all([slow, behind])).toEqual(['slow', 'behind'])
  await Promise.all(early)
})

/** Opens all connections there may be. */
async function fill({ database, ...gated }: Gated, connections: number): Promise<void> {
  await gated.shut()
  const opening: Promise<unknown>[] = []
  let looks = 0
  await until(async () => {
    // Again and again, however long it takes: one that is asked for while another opens opens none.
    if (looks++ % 5 === 0) opening.push(database.asOwner(`eve ${opening.length}`, readAtGate, { word: 'x' }))
    return (await gated.backends('waiting')).length === connections
  })
  await gated.open()
  await Promise.all(opening)
}

test.each([
  ['writes', [writeAtGate, writeAtGate, writeAtGate]],
  ['reads that take long', [readAtGate, readAtGate, readAtGate]],
  ['reads and writes', [readAtGate, writeAtGate, readAtGate]],
])(
  'the %s of one owner follow each other on one connection and hold up nobody on the others',
  async (_what, statements) => {
    await using gated = await openGated({ connections: 3 })
    const { database } = gated
    await fill(gated, 3)

    await gated.shut()
    const long = statements.map((statement, n) => database.asOwner('ann', statement, { word: `${n}` }))
    await until(async () => (await gated.backends('waiting')).length > 0)
    for (let i = 0; i < 20; i++) expect(await database.asOwner('bob', echo, { word: 'quick' })).toBe('quick')
    expect(await gated.backends('waiting')).toHaveLength(1)
    await gated.open()
    expect(await Promise.all(long)).toEqual(['0', '1', '2'])
  },
)

test('gets fill one connection after the other, and none of them stands behind a write', async () => {
  await using gated = await openGated({ connections: 3, full: 4 })
  const { database } = gated
  const waiting = async () => (await gated.backends('waiting')).length
  await fill(gated, 3)

  await gated.shut()
  const answers: Promise<unknown>[] = [database.asOwner('ann', writeAtGate, { word: 'ann' })]
  await until(async () => (await waiting()) === 1)
  const get = (many: number) => {
    for (let n = 0; n < many; n++)
      answers.push(database.asOwner(`bob ${n}`, weighedAtGate, { word: 'bob', weight: 1 }))
  }
  get(4)
  await until(async () => (await waiting()) === 2)
  get(3)
  await until(async () => (await waiting()) === 3)
  expect(gated.sent(weighedAtGate)).toBe(7)
  // Another write goes to neither, though there is as much room.
  answers.push(database.asOwner('eve', writeAtGate, { word: 'eve' }))
  await until(() => gated.sent(writeAtGate) === 2)
  await gated.open()
  expect(await Promise.all(answers)).toEqual(['ann', ...Array(7).fill('bob'), 'eve'])
})

test('what weighs more fills connections from the other end, as far as there is room for it', async () => {
  await using gated = await openGated({ connections: 3, full: 6 })
  const { database } = gated
  const waiting = async () => (await gated.backends('waiting')).length
  await fill(gated, 3)

  await gated.shut()
  const answers: Promise<unknown>[] = []
  const ask = (weight: number, word = `${weight}`) =>
    answers.push(database.asOwner(`bob ${answers.length}`, weighedAtGate, { word, weight }))
  ask(2)
  ask(2)
  await until(() => gated.sent(weighedAtGate) === 2)
  // There is room for two more gets on it, yet they go elsewhere.
  ask(1)
  await until(async () => (await waiting()) === 2)
  ask(3)
  await until(async () => (await waiting()) === 3)
  expect(gated.sent(weighedAtGate)).toBe(4)
  await gated.open()
  expect(await Promise.all(answers)).toEqual(['2', '2', '1', '3'])
})

test('the least busy connection is the one with the least on it by weight, whatever the number', async () => {
  await using gated = await openGated({ connections: 2 })
  const { database } = gated
  await fill(gated, 2)

  await gated.shut()
  const write = database.asOwner('ann', writeAtGate, { word: 'slow' })
  await until(async () => (await gated.backends('waiting')).length === 1)
  // Three beside the one write, and yet less.
  const naps = [1, 2, 3].map((n) => database.asOwner(`cyn ${n}`, lightNap, { word: '0.1' }))
  expect(await database.asOwner('bob', echo, { word: 'quick' })).toBe('quick')
  await gated.open()
  await Promise.all([write, ...naps])
})

test('what is light keeps to the most that a connection takes as well', async () => {
  await using gated = await openGated({ connections: 2, inFlight: 1 })
  const { database } = gated
  await gated.shut()
  const gets = ['1', '2'].map((word) => database.asOwner(word, weighedAtGate, { word, weight: 1 }))
  await until(async () => (await gated.backends('waiting')).length === 2)
  await gated.open()
  expect(await Promise.all(gets)).toEqual(['1', '2'])
})

test('short lists share a connection, long ones and far pages have one for themselves', () => {
  const shares = (limit: number, skip = 0) => Math.floor(laneLimits.full / listTasks.weight({ limit, skip }))
  expect([1, 20, 50, 100, 200, 500].map((limit) => shares(limit))).toEqual([8, 8, 5, 3, 2, 0])
  expect([0, 100, 1_000, 9_900].map((skip) => shares(20, skip))).toEqual([8, 8, 3, 0])
})

test('one owner never has more than a share in flight, and what waits for it holds up nobody else', async () => {
  await using gated = await openGated({ connections: 2, inFlightOfOne: 2 })
  const { database } = gated
  await gated.shut()
  const reads = [1, 2, 3, 4, 5, 6].map((n) => database.asOwner('ann', readAtGate, { word: `${n}` }))
  await until(async () => (await gated.backends('waiting')).length > 0)
  const bob = database.asOwner('bob', readAtGate, { word: 'bob' })
  await until(() => gated.sent(readAtGate) === 3)
  await gated.open()
  expect(await bob).toBe('bob')
  expect(await Promise.all(reads)).toEqual(['1', '2', '3', '4', '5', '6'])
})

test('one owner cannot fill the queue: others still find a place in it', async () => {
  await using gated = await openGated({ connections: 1, inFlight: 1, waiting: 4, waitingOfOne: 2 })
  const { database } = gated
  await gated.shut()
  const ann = [1, 2, 3].map((n) => database.asOwner('ann', readAtGate, { word: `${n}` }))
  const tooMany = database.asOwner('ann', readAtGate, { word: 'too many' })
  await expect(tooMany).rejects.toMatchObject({ code: 'unavailable' })
  const bob = database.asOwner('bob', echo, { word: 'bob' })
  await gated.open()
  expect(await bob).toBe('bob')
  expect(await Promise.all(ann)).toEqual(['1', '2', '3'])
})

test('what finds no room waits, up to the bound; beyond it is refused at once and can be repeated', async () => {
  await using gated = await openGated({ connections: 1, inFlight: 2, waiting: 3 })
  const { database } = gated
  await gated.shut()
  const taken = [1, 2, 3, 4, 5].map((n) => database.asOwner('ann', readAtGate, { word: `${n}` }))
  const refused = database.asOwner('bob', echo, { word: 'too many' })
  await expect(refused).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
  await gated.open()
  expect(await Promise.all(taken)).toEqual(['1', '2', '3', '4', '5'])
  expect(await database.asOwner('bob', echo, { word: 'again' })).toBe('again')
})

test('nobody waits for a connection longer than the limit; what is in flight is not touched by that', async () => {
  await using gated = await openGated({ connections: 1, inFlight: 1, waitMs: 50 })
  const { database } = gated
  await gated.shut()
  const inFlight = database.asOwner('ann', writeAtGate, { word: 'in flight' })
  expect(await outcome(database.asOwner('bob', writeAtGate, { word: 'waiting' }))).toBe('unavailable')
  await gated.open()
  expect(await inFlight).toBe('in flight')
  expect(gated.sent(writeAtGate)).toBe(1)
})

test('owners take turns at a full lane', async () => {
  await using gated = await openGated({ connections: 1, inFlight: 1 })
  const { database } = gated
  await gated.shut()
  const order: string[] = []
  const ask = async (owner: string, word: string) =>
    order.push(`${await database.asOwner(owner, readAtGate, { word })}`)
  const all = [
    ask('first', 'first'),
    ...['a1', 'a2', 'a3', 'a4'].map((word) => ask('ann', word)),
    ask('bob', 'b1'),
    ask('cyn', 'c1'),
  ]
  await gated.open()
  await Promise.all(all)
  expect(order).toEqual(['first', 'a1', 'b1', 'c1', 'a2', 'a3', 'a4'])
})

test('an unused connection is closed, also the last one, and the next request opens another', async () => {
  await using gated = await openGated({ connections: 2, idleMs: 50 })
  await until(async () => (await gated.backends()).length === 0)
  expect(gated.database.reachable()).toBe(true)
  expect(await gated.database.asOwner('ann', echo, { word: 'back' })).toBe('back')
  expect(gated.proxy.accepted()).toBe(2)
})

test('closing lets what is in flight finish and refuses what waits and what comes', async () => {
  await using gated = await openGated({ connections: 1, inFlight: 1 })
  const { database } = gated
  await gated.shut()
  const inFlight = database.asOwner('ann', writeAtGate, { word: 'in flight' })
  const waiting = outcome(database.asOwner('ann', writeAtGate, { word: 'waiting' }))
  const closed = database.close()
  expect(await waiting).toBe('unavailable')
  expect(await outcome(database.asOwner('ann', echo, { word: 'late' }))).toBe('unavailable')
  await gated.open()
  expect(await inFlight).toBe('in flight')
  await closed
  await until(async () => (await gated.backends()).length === 0)
})
