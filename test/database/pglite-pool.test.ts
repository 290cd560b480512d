import { setImmediate } from 'node:timers/promises'
import { PGlite, protocol } from '@electric-sql/pglite'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { createPglitePool } from '../../src/database/embedded/pglite-pool.ts'

const pglite = await PGlite.create()
const pool = createPglitePool(pglite)
afterAll(() => pglite.close())

beforeEach(async () => {
  await pglite.exec(
    'DROP TABLE IF EXISTS note; CREATE TABLE note (text text NOT NULL UNIQUE, at timestamptz, data jsonb)',
  )
})

/** A client that a failing test gives back too, or every later one would wait for it. */
async function connect() {
  const client = await pool.connect()
  onTestFinished(() => client.release())
  return client
}

/** What everybody else does with the same PGlite; each says in `events` when it got its turn. */
function everybodyElse(events: string[]) {
  const count = 'SELECT count(*)::int AS notes FROM note'
  const query = pglite.query(count).then(() => events.push('query'))
  const transaction = pglite.transaction((tx) => tx.query(count)).then(() => events.push('transaction'))
  const batch = pglite.runExclusive(async () => {
    await pglite.execProtocol(protocol.serialize.query(count))
    events.push('batch')
  })
  return Promise.all([query, transaction, batch])
}

/** Long enough for anything that isn't held back: PGlite answers within the turn in which it is asked. */
async function someTurns() {
  for (let turn = 0; turn < 20; turn++) await setImmediate()
}

test('nobody else gets a turn between BEGIN and COMMIT', async () => {
  const events: string[] = []
  const client = await connect()
  await client.query('BEGIN', [])
  await client.query('INSERT INTO note (text) VALUES ($1)', ['mine'])
  const others = everybodyElse(events)
  await someTurns()
  await client.query('COMMIT', [])
  events.push('commit')
  client.release()
  await others
  expect(events[0]).toBe('commit')
  expect(events).toHaveLength(4)
})

test('a client is not given out in the middle of somebody else’s transaction', async () => {
  const events: string[] = []
  let ours: Promise<void> | undefined
  await pglite.transaction(async (tx) => {
    await tx.query("INSERT INTO note (text) VALUES ('theirs')")
    ours = pool.connect().then((client) => {
      events.push('connect')
      client.release()
    })
    await someTurns()
    events.push('end of theirs')
  })
  await ours
  expect(events).toEqual(['end of theirs', 'connect'])
})

test('a transaction left open is rolled back, and the next caller starts outside of it', async () => {
  const careless = await connect()
  await careless.query('BEGIN', [])
  void careless.query('INSERT INTO note (text) VALUES ($1)', ['forgotten'])
  careless.release()
  const { rows } = await pglite.query('SELECT * FROM note')
  expect(rows).toEqual([])
  expect(pglite.isInTransaction()).toBe(false)
})

test('a released client refuses, because the session is somebody else’s', async () => {
  const client = await connect()
  client.release()
  expect(() => client.query('SELECT 1', [])).toThrow('released')
})

test('a refused statement throws its SQLSTATE and leaves the session usable', async () => {
  const client = await connect()
  await client.query('INSERT INTO note (text) VALUES ($1)', ['once'])
  await expect(client.query('INSERT INTO note (text) VALUES ($1)', ['once'])).rejects.toMatchObject({
    code: '23505',
  })
  expect((await client.query('SELECT 1 AS one', [])).rows).toEqual([{ one: 1 }])
})

test('values come back as they were given: instant, JSON, null', async () => {
  const client = await connect()
  const note = { text: 'it’s "quoted"', at: new Date('2026-11-20T18:27:00.123Z'), data: { deep: [1, null] } }
  const inserted = await client.query('INSERT INTO note VALUES ($1, $2, $3)', [note.text, note.at, note.data])
  await client.query('INSERT INTO note VALUES ($1, $2, $3)', ['empty', null, undefined])
  const { rows } = await client.query('SELECT * FROM note ORDER BY at', [])
  expect(inserted).toMatchObject({ command: 'INSERT', rowCount: 1 })
  expect(rows).toEqual([note, { text: 'empty', at: null, data: null }])
})

test('a closed PGlite gives no client', async () => {
  const closed = await PGlite.create()
  await closed.close()
  await expect(createPglitePool(closed).connect()).rejects.toThrow('closed')
})
