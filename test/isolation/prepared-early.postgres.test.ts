import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BatchQuery, batchOf, encodeNamed, prepareAll, type Results } from '../../src/database/batch/batch.ts'
import { batch, preparation } from '../../src/database/batch/messages.ts'
import { question, type Statement } from '../../src/database/statements/statement.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { admin } from '../support/real-postgres.ts'
import { deleteAnybodys, getAnybodys, listAnybodys, ownersSeen, unlockedStatements } from './unlocked.ts'

/**
 * Postgres plans anew when the role changes under a plan that depends on row security. A connection whose
 * statements were prepared, and planned, as the superuser who logged in has to show no more than any other.
 */
let postgres: FreshDatabase
let client: pg.Client
const [ann, bob, annsId] = [`ann-${randomUUID()}`, `bob-${randomUUID()}`, randomUUID()]
const page = { limit: 500, skip: 0 }

const send = (bytes: Buffer) =>
  new Promise<Results>((resolve, reject) => {
    const query = new BatchQuery(bytes, (error, results) =>
      error === null ? resolve(results) : reject(error),
    )
    client.query(query as object as pg.Query)
  })

const asOwner = async <Input, Result>(who: string, statement: Statement<Input, Result>, input: Input) => {
  const [, rows = []] = await send(encodeNamed(batchOf(who, [question(statement, input)])))
  return statement.rows(rows)
}

/** Without entering as anybody: what the login role, a superuser, sees. */
const asLogin = async <Input, Result>(statement: Statement<Input, Result>, input: Input) => {
  const [rows = []] = await send(batch([{ name: statement.name, values: statement.values(bob, input) }]))
  return statement.rows(rows)
}

beforeAll(async () => {
  postgres = await freshDatabase()
  await admin(
    postgres.url,
    `insert into docket.tasks (owner_id, id, title) values ('${ann}', '${annsId}', 'of ann'), ('${bob}', '${randomUUID()}', 'of bob')`,
  )
  client = new pg.Client({ connectionString: postgres.url, pipeline: true })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await postgres.drop()
})

test('a plan made for the superuser who logged in is not used for an owner', async () => {
  const [first, ...rest] = unlockedStatements
  if (first === undefined) throw new Error('there are no statements')
  await send(preparation(first, [], rest))
  await send(prepareAll([]))

  // After five runs Postgres keeps a plan for any values, which is the one that must not be reused.
  for (let run = 0; run < 8; run++) {
    expect(await asLogin(ownersSeen, {})).toBe(`${ann} ${bob}`)
    expect(JSON.parse((await asLogin(listAnybodys, page)).json)).toHaveLength(2)
    expect(await asLogin(getAnybodys, { id: annsId })).toContain('of ann')
  }
  for (let run = 0; run < 8; run++) {
    expect(await asOwner(bob, ownersSeen, {})).toBe(bob)
    expect(JSON.parse((await asOwner(bob, listAnybodys, page)).json)).toHaveLength(1)
    expect(await asOwner(bob, getAnybodys, { id: annsId })).toBeNull()
    expect(await asOwner(bob, deleteAnybodys, { id: annsId })).toBe(false)
    expect(await asOwner(ann, ownersSeen, {})).toBe(ann)
    expect(await asLogin(ownersSeen, {})).toBe(`${ann} ${bob}`)
  }
})

test('the role, the owner and the time-outs end with the batch', async () => {
  const settings =
    "select concat_ws(' ', current_user, current_setting('app.user_id', true), current_setting('lock_timeout'))"
  await asOwner(bob, ownersSeen, {})
  const { rows } = await client.query(`${settings} as left_over, session_user as login`)
  expect(rows).toEqual([
    { left_over: `${new URL(postgres.url).username}  0`, login: new URL(postgres.url).username },
  ])
})

test('without an owner in the batch the unprivileged role sees nothing', async () => {
  await client.query('begin; set local role docket_app')
  const { rows } = await client.query('select count(*)::int as seen from docket.tasks')
  await client.query('rollback')
  expect(rows).toEqual([{ seen: 0 }])
})
