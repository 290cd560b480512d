import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openPostgres } from '../../src/database/database.ts'
import { sqlState } from '../../src/database/failures/failures.ts'
import { createTask, deleteTask, getTask, listTasks, patchTask, putTask } from '../../src/tasks/statements.ts'
import { askOne } from '../support/ask.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { admin } from '../support/real-postgres.ts'
import {
  allStatements,
  createForOther,
  deleteAnybodys,
  getAnybodys,
  giveAway,
  listAnybodys,
  ownersSeen,
  patchAnybodys,
} from './unlocked.ts'

const page = { limit: 500, skip: 0 }
const stolen = { title: 'stolen' }
const fields = { description: null, status: 'Todo' }

let postgres: FreshDatabase
let database: Database
let [ann, bob, annsId, bobsId] = ['', '', '', '']

async function openWith(preparedSql?: string): Promise<void> {
  postgres = await freshDatabase()
  if (preparedSql !== undefined) await admin(postgres.url, preparedSql)
  database = await openPostgres({
    url: postgres.url,
    statements: allStatements,
    log: pino({ level: 'silent' }),
  })
}

async function close(): Promise<void> {
  await database.close()
  await postgres.drop()
}

const rowsOf = (owner: string) =>
  admin(postgres.url, `select id, title from docket.tasks where owner_id = '${owner}'`)

beforeEach(async () => {
  ;[ann, bob] = [`ann-${randomUUID()}`, `bob-${randomUUID()}`]
  ;[annsId, bobsId] = [randomUUID(), randomUUID()]
  await askOne(database, ann, createTask, { id: annsId, given: { title: 'of ann', ...fields } })
  await askOne(database, bob, createTask, { id: bobsId, given: { title: 'of bob', ...fields } })
})
afterEach(() => admin(postgres.url, 'delete from docket.tasks'))

describe('with WHERE owner_id taken out of the statement, the policies alone', () => {
  beforeAll(() => openWith())
  afterAll(close)

  test('show nobody a foreign row', async () => {
    const seen: { owner_id: string }[] = JSON.parse((await askOne(database, bob, listAnybodys, page)).json)
    expect(seen.map((task) => task.owner_id)).toEqual([bob])
    expect(await askOne(database, bob, ownersSeen, {})).toBe(bob)
    expect(await askOne(database, bob, getAnybodys, { id: annsId })).toBeNull()
    expect(await askOne(database, bob, getAnybodys, { id: bobsId })).toContain('of bob')
  })

  test('let nobody change or delete a foreign row', async () => {
    expect(await askOne(database, bob, patchAnybodys, { id: annsId, given: stolen })).toBeNull()
    expect(await askOne(database, bob, deleteAnybodys, { id: annsId })).toBe(false)
    expect(await rowsOf(ann)).toEqual([{ id: annsId, title: 'of ann' }])
    expect(await askOne(database, bob, patchAnybodys, { id: bobsId, given: stolen })).toMatchObject(stolen)
    expect(await askOne(database, bob, deleteAnybodys, { id: bobsId })).toBe(true)
  })

  test('let nobody write a row for somebody else', async () => {
    const planted = { id: randomUUID(), title: 'planted', other: ann }
    const refused = await askOne(database, bob, createForOther, planted).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'internal', cause: { message: /row-level security/ } })
    expect(sqlState(refused instanceof Error ? refused.cause : refused)).toBe('42501')
    expect(await rowsOf(ann)).toEqual([{ id: annsId, title: 'of ann' }])
    const own = { id: randomUUID(), title: 'mine', other: bob }
    expect(await askOne(database, bob, createForOther, own)).toBe('mine')
  })

  test('nobody gives a row away: not even the column may be written', async () => {
    await expect(askOne(database, bob, giveAway, { id: bobsId, other: ann })).rejects.toMatchObject({
      cause: { code: '42501' },
    })
    expect(await rowsOf(bob)).toHaveLength(1)
  })
})

describe('with the policies opened up, the WHERE alone', () => {
  beforeAll(() =>
    openWith(`alter policy tasks_own on docket.tasks using (true) with check (true);
      alter policy owners_own on docket.owners using (true) with check (true)`),
  )
  afterAll(close)

  test('shows nobody a foreign row', async () => {
    const seen: { owner_id: string }[] = JSON.parse((await askOne(database, bob, listTasks, page)).json)
    expect(seen.map((task) => task.owner_id)).toEqual([bob])
    expect(await askOne(database, bob, getTask, { id: annsId })).toBeNull()
  })

  test('lets nobody change, replace or delete a foreign row', async () => {
    expect(await askOne(database, bob, patchTask, { id: annsId, given: stolen })).toBeNull()
    expect(await askOne(database, bob, deleteTask, { id: annsId })).toBe(false)
    const put = await askOne(database, bob, putTask, { id: annsId, given: { title: 'mine', ...fields } })
    expect(put.made).toBe(true)
    expect(put.row).toMatchObject({ owner_id: bob, title: 'mine' })
    expect(await rowsOf(ann)).toEqual([{ id: annsId, title: 'of ann' }])
  })

  test('is really alone: with both locks off everything is open', async () => {
    expect(await askOne(database, bob, ownersSeen, {})).toBe(`${ann} ${bob}`)
    expect(await askOne(database, bob, getAnybodys, { id: annsId })).toContain('of ann')
    expect(await askOne(database, bob, patchAnybodys, { id: annsId, given: stolen })).toMatchObject(stolen)
    expect(
      await askOne(database, bob, createForOther, { id: randomUUID(), title: 'planted', other: ann }),
    ).toBe('planted')
    expect(await askOne(database, bob, deleteAnybodys, { id: annsId })).toBe(true)
  })
})
