import { expect, test } from 'vitest'
import { askOne } from '../support/ask.ts'
import { echo, everyColumn, nap, openGated, outcome, readAtGate, until, writeAtGate } from './gate.ts'

const rows = 'select title from docket.tasks'

test('a stuck connection is given up: writes fail and are not sent again, reads are answered by another', async () => {
  await using gated = await openGated({ connections: 2, batchMs: 200 })
  const { database, proxy } = gated
  proxy.hang()
  const write = outcome(askOne(database, 'ann', writeAtGate, { word: 'lost' }))
  const reads = ['1', '2', '3'].map((word) => askOne(database, 'bob', echo, { word }))
  expect(await write).toBe('unavailable ConnectionLost')
  expect(await Promise.all(reads)).toEqual(['1', '2', '3'])
  expect(await gated.admin(rows)).toEqual([])
  expect(await askOne(database, 'ann', writeAtGate, { word: 'again' })).toBe('again')
})

test('a connection that is never without work but gets on with it is not taken for a stuck one', async () => {
  await using gated = await openGated({ connections: 1, batchMs: 700 })
  const naps = Array.from({ length: 20 }, () => outcome(askOne(gated.database, 'ann', nap, { word: '0.1' })))
  expect(new Set(await Promise.all(naps))).toEqual(new Set(['']))
  expect(gated.proxy.accepted()).toBe(1)
})

test('a write whose answer is lost was done once and is not sent again', async () => {
  await using gated = await openGated({ connections: 1 })
  const { database, proxy } = gated
  proxy.hang('answers')
  const write = outcome(askOne(database, 'ann', writeAtGate, { word: 'done' }))
  await until(async () => (await gated.admin(rows)).length === 1)
  proxy.cut()
  expect(await write).toBe('unavailable ConnectionLost')
  expect(gated.sent(writeAtGate)).toBe(1)
  expect(await gated.admin(rows)).toEqual([{ title: 'done' }])
})

test('a backend that is ended while idle is replaced without anybody noticing', async () => {
  await using gated = await openGated({ connections: 1 })
  const [idle] = await gated.backends()
  await gated.admin(`select pg_terminate_backend(${idle})`)
  await until(async () => (await gated.backends()).length === 0)
  expect(await askOne(gated.database, 'ann', echo, { word: 'still here' })).toBe('still here')
  expect(await askOne(gated.database, 'ann', writeAtGate, { word: 'this too' })).toBe('this too')
})

test('a backend that is ended in flight: reads are repeated, writes are not, and nothing is written', async () => {
  await using gated = await openGated({ connections: 1 })
  const { database } = gated
  await gated.shut()
  const reads = [1, 2, 3].map((n) => askOne(database, 'ann', readAtGate, { word: `${n}` }))
  const write = outcome(askOne(database, 'ann', writeAtGate, { word: 'lost' }))
  await until(async () => (await gated.backends('waiting')).length === 1)
  const [busy] = await gated.backends()
  await gated.admin(`select pg_terminate_backend(${busy})`)
  expect(await write).toBe('unavailable ConnectionLost')
  await gated.open()
  expect(await Promise.all(reads)).toEqual(['1', '2', '3'])
  expect([gated.sent(readAtGate), gated.sent(writeAtGate)]).toEqual([6, 1])
  expect(await gated.admin(rows)).toEqual([])
})

test('a read whose connection is lost each time is given up after three', async () => {
  await using gated = await openGated({ connections: 1 })
  await gated.shut()
  const read = outcome(askOne(gated.database, 'ann', readAtGate, { word: 'x' }))
  for (const time of [1, 2, 3]) {
    await until(async () => gated.sent(readAtGate) === time && (await gated.backends('waiting')).length === 1)
    const [busy] = await gated.backends('waiting')
    await gated.admin(`select pg_terminate_backend(${busy})`)
    await until(async () => !(await gated.backends()).includes(busy ?? 0))
  }
  expect(await read).toMatch(/^unavailable/)
  expect(gated.sent(readAtGate)).toBe(3)
})

test('a statement that runs too long is ended by Postgres', async () => {
  await using gated = await openGated({ connections: 1, statementTimeoutMs: 400 })
  expect(await outcome(askOne(gated.database, 'ann', nap, { word: '600' }))).toBe('unavailable 57014')
  expect(await askOne(gated.database, 'ann', echo, { word: 'next' })).toBe('next')
  expect(gated.proxy.accepted()).toBe(1)
})

test('a statement that waits too long for a lock is ended by Postgres', async () => {
  await using gated = await openGated({ connections: 1, lockTimeoutMs: 50 })
  await askOne(gated.database, 'ann', writeAtGate, { word: 'held' })
  await gated.admin('begin')
  await gated.admin('select * from docket.tasks for update')
  expect(await outcome(askOne(gated.database, 'ann', everyColumn, {}))).toBe('unavailable 55P03')
  await gated.admin('rollback')
  expect(gated.proxy.accepted()).toBe(1)
})

test('a table that is changed under prepared statements: the same request succeeds, on however many connections', async () => {
  await using gated = await openGated({ connections: 5 })
  const { database } = gated
  expect(await askOne(database, 'ann', writeAtGate, { word: 'mine' })).toBe('mine')
  await gated.shut()
  const warm: Promise<unknown>[] = []
  await until(async () => {
    warm.push(askOne(database, 'ann', readAtGate, { word: 'x' }))
    return (await gated.backends('waiting')).length === 5
  })
  await gated.open()
  await Promise.all(warm)
  await gated.admin('alter table docket.tasks add column colour text')
  const change = () => outcome(askOne(database, 'ann', everyColumn, {}))
  expect(await change()).toBe('8')
  expect(await Promise.all([change(), change(), change(), change()])).toEqual(['8', '8', '8', '8'])
})

test('a connection that hangs while it is made ready is given up, and another one serves', async () => {
  let hanging = false
  await using gated = await openGated({ connections: 1, idleMs: 50, connectMs: 200 }, (message) =>
    hanging && message[0] !== 'p'.charCodeAt(0) ? undefined : message,
  )
  await until(async () => (await gated.backends()).length === 0)
  hanging = true
  expect(await outcome(askOne(gated.database, 'ann', echo, { word: 'x' }))).toBe('unavailable ConnectionLost')
  expect(gated.database.reachable()).toBe(false)
  hanging = false
  await until(() => gated.database.reachable())
  expect(await askOne(gated.database, 'ann', echo, { word: 'x' })).toBe('x')
})

test.each([1, 2, 3, 4])(
  'a connection that is ended in one piece with answer %i of its making is not used',
  async (answer) => {
    await using gated = await openGated({ connections: 1 })
    const { database, proxy } = gated
    const [first] = await gated.backends()
    proxy.endBehind(answer)
    await gated.admin(`select pg_terminate_backend(${first})`)
    await until(async () => (await gated.backends()).length === 0)
    for (const word of ['1', '2', '3']) expect(await askOne(database, 'ann', echo, { word })).toBe(word)
    expect(await askOne(database, 'ann', writeAtGate, { word: 'this too' })).toBe('this too')
    expect(gated.logged()).toEqual([])
  },
)

test('what is in flight on a connection that takes no more work is not left hanging either', async () => {
  await using gated = await openGated({ connections: 1, batchMs: 300 })
  const { database, proxy } = gated
  await askOne(database, 'ann', writeAtGate, { word: 'mine' })
  await gated.admin('alter table docket.tasks add column colour text')
  await gated.shut()
  const first = outcome(askOne(database, 'ann', everyColumn, {}))
  const behind = outcome(askOne(database, 'ann', writeAtGate, { word: 'behind' }))
  expect(await first).toBe('8')
  proxy.hang()
  expect(await behind).toBe('unavailable ConnectionLost')
})

test('when there is no further connection to be had, those there are go on serving', async () => {
  await using gated = await openGated({ connections: 3, inFlight: 2 })
  const { database } = gated
  await gated.shut()
  gated.proxy.refuseNew()
  const words = ['1', '2', '3', '4', '5']
  const answers: Promise<unknown>[] = []
  for (const word of words) {
    answers.push(askOne(database, 'ann', readAtGate, { word }))
    await gated.backends()
  }
  await gated.open()
  expect(await Promise.all(answers)).toEqual(words)
  expect(database.reachable()).toBe(true)
  expect(gated.logged()).toEqual([])
})

test('who asks is answered within the deadline, whatever the batch is doing', async () => {
  await using gated = await openGated({ connections: 1, requestMs: 100 })
  const { database } = gated
  await gated.shut()
  const [read, write] = [readAtGate, writeAtGate].map((each) =>
    outcome(askOne(database, 'ann', each, { word: 'late' })),
  )
  expect([await read, await write]).toEqual(['unavailable', 'unavailable'])
  expect([gated.sent(readAtGate), gated.sent(writeAtGate)]).toEqual([1, 1])
  // Nobody knows whether it was done; it was.
  await gated.open()
  await until(async () => (await gated.admin(rows)).length === 1)
})

test('what waits for a connection is not sent once nobody waits for the answer', async () => {
  await using gated = await openGated({ connections: 1, inFlight: 1 })
  const { database } = gated
  await gated.shut()
  let hungUp = false
  const first = askOne(database, 'ann', readAtGate, { word: 'first' })
  const gone = outcome(askOne(database, 'bob', writeAtGate, { word: 'gone' }, () => hungUp))
  const there = askOne(database, 'cyn', writeAtGate, { word: 'there' }, () => false)
  hungUp = true
  await gated.open()
  expect([await first, await gone, await there]).toEqual(['first', 'unavailable', 'there'])
  expect(gated.sent(writeAtGate)).toBe(1)
  expect(await gated.admin(rows)).toEqual([{ title: 'there' }])
})

test('a lost read is not repeated for somebody who has gone', async () => {
  await using gated = await openGated({ connections: 1 })
  await gated.shut()
  const read = outcome(askOne(gated.database, 'ann', readAtGate, { word: 'x' }, () => true))
  await until(async () => (await gated.backends('waiting')).length === 1)
  gated.proxy.cut()
  expect(await read).toBe('unavailable ConnectionLost')
  expect(gated.sent(readAtGate)).toBe(1)
})
