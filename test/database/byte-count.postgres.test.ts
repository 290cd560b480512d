import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openPglite, openPostgres } from '../../src/database/database.ts'
import { embeddedSession } from '../../src/database/drivers/session.ts'
import { openInMemory } from '../../src/database/embedded/embedded.ts'
import { migrate } from '../../src/database/setup/migrate.ts'
import type { Statement } from '../../src/database/statements/statement.ts'
import type { Fields } from '../../src/database/statements/writes.ts'
import { taskQuotas } from '../../src/tasks/quotas.ts'
import { createTask, deleteTask, patchTask, putTask, taskStatements } from '../../src/tasks/statements.ts'
import { askOne } from '../support/ask.ts'
import { freshDatabase } from '../support/database.ts'
import { admin } from '../support/real-postgres.ts'

type Opened = {
  readonly database: Database
  /** Runs SQL as the administrator, whom no quota holds. */
  rows(sql: string): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

const log = pino({ level: 'silent' })
const quotas = { taskQuota: 5, storageQuotaBytes: 25_000 }
const limits = { quotas: taskQuotas(quotas) }

async function onPglite(): Promise<Opened> {
  const embedded = await openInMemory()
  await migrate(embeddedSession(embedded.pglite))
  const database = await openPglite(embedded, { statements: taskStatements, log, limits })
  const rows = async (sql: string) => (await embedded.pglite.query<Record<string, unknown>>(sql)).rows
  return { database, rows, close: () => database.close() }
}

async function onPostgres(): Promise<Opened> {
  const { url, drop } = await freshDatabase()
  const database = await openPostgres({ url, statements: taskStatements, log, limits })
  const close = async () => {
    await database.close()
    await drop()
  }
  return { database, rows: (sql) => admin(url, sql), close }
}

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 })
const change = fc.record({
  kind: fc.constantFrom('create', 'put', 'patch', 'delete'),
  which: fc.nat(6),
  title: text,
  description: fc.option(
    fc.nat(40_000).map((length) => 'x'.repeat(length % 10_001)),
    { nil: null },
  ),
  status: fc.constantFrom('Todo', 'Done'),
  set_description: fc.boolean(),
})
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

describe.each([
  ['PGlite', onPglite],
  ['a real Postgres', onPostgres],
])('on %s', (_engine, open) => {
  let opened: Opened
  let owner: string
  beforeAll(async () => {
    opened = await open()
  })
  beforeEach(() => {
    owner = `owner-${randomUUID()}`
  })
  afterAll(() => opened.close())

  const rows = (sql: string) => opened.rows(sql)
  const asOwner = <Input, Result>(who: string, statement: Statement<Input, Result>, input: Input) =>
    askOne(opened.database, who, statement, input)

  const counted = async () =>
    (await rows(`select task_count, byte_count::int from docket.owners where owner_id = '${owner}'`))[0]
  const stored = async () =>
    (
      await rows(`select count(*)::int as task_count,
        coalesce(sum(400 + octet_length(title) + coalesce(octet_length(description), 0)), 0)::int as byte_count
        from docket.tasks where owner_id = '${owner}'`)
    )[0]

  const run = (id: string, { kind, set_description, which: _, ...fields }: Change): Promise<unknown> => {
    const { description, ...others } = fields
    if (kind === 'create') return asOwner(owner, createTask, { id, given: fields })
    const given = set_description ? { ...others, description } : others
    if (kind === 'put') return asOwner(owner, putTask, { id, given })
    if (kind === 'patch') return asOwner(owner, patchTask, { id, given })
    return asOwner(owner, deleteTask, { id })
  }

  test('after any changes, at once or one by one, the counts are those of the rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 25 }), fc.boolean(), async (changes, atOnce) => {
        owner = `owner-${randomUUID()}`
        const ids = Array.from({ length: 7 }, () => randomUUID())
        // Some are refused, by a quota or because the id is taken: what was rolled back must not count.
        const done = (one: Change) => run(ids[one.which] ?? '', one).catch(() => undefined)
        if (atOnce) await Promise.all(changes.map(done))
        else for (const one of changes) await done(one)
        const [is, shouldBe] = [await counted(), await stored()]
        expect(is ?? { task_count: 0, byte_count: 0 }).toEqual(shouldBe)
        expect(Number(shouldBe?.byte_count)).toBeLessThanOrEqual(quotas.storageQuotaBytes)
        expect(Number(shouldBe?.task_count)).toBeLessThanOrEqual(quotas.taskQuota)
      }),
      { numRuns: 40 },
    )
  })

  const task = () => ({ id: randomUUID(), given: { title: 'x' } })

  test('above the quota a task may be made shorter, or changed in length by nothing, and not longer', async () => {
    const { id } = task()
    await rows(`insert into docket.tasks (owner_id, id, title, description)
      select '${owner}', case n when 1 then '${id}'::uuid else gen_random_uuid() end, 'x', repeat('漢', 10000)
      from generate_series(1, 5) n`)
    const patch = (given: Fields) => asOwner(owner, patchTask, { id, given })
    expect(await patch({ description: '漢'.repeat(9_000) })).toMatchObject({ title: 'x' })
    expect(await patch({ status: 'Done', title: 'y' })).toMatchObject({ status: 'Done' })
    const longer = patch({ title: 'longer' })
    await expect(longer).rejects.toMatchObject({ code: 'quota_exceeded', reason: 'storage_quota' })
    expect(await counted()).toEqual(await stored())
    expect(Number((await stored())?.byte_count)).toBeGreaterThan(quotas.storageQuotaBytes)
  })

  test('a change that leaves the length alone does not write the row that counts', async () => {
    const one = task()
    await asOwner(owner, createTask, one)
    const place = () => rows(`select ctid::text, xmin::text from docket.owners where owner_id = '${owner}'`)
    const before = await place()
    await asOwner(owner, patchTask, { id: one.id, given: { status: 'Done', title: 'y' } })
    await asOwner(owner, putTask, one)
    expect(await place()).toEqual(before)
    await asOwner(owner, patchTask, { id: one.id, given: { title: 'longer' } })
    expect(await place()).not.toEqual(before)
  })
})
