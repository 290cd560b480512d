import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operations } from '../../src/operations.ts'
import { taskStatements } from '../../src/tasks/statements.ts'
import { type Catalog, catalogs } from './catalogs.ts'
import {
  below,
  everyTableHasAPrimaryKey,
  everyTableIsDistributedOrLocal,
  foreignKeysStayWithTheOwner,
  keptPlan,
  nobodyMayMoveARow,
  nothingIsCountedByASequence,
  ownersAreOfOneType,
  type Rule,
  triggerStatements,
  uniqueKeysStartWithTheOwner,
  unrouted,
} from './citus-rules.ts'

/**
 * What Citus asks of tables that it spreads by `owner_id`, and of statements that it is to send to one node
 * (docs.citusdata.com: "Determining application type", "SQL support and workarounds"). Hash partitions ask the same.
 */
const rules: [guarantee: string, rule: Rule, offence: string, offender: string[]][] = [
  [
    'every table holds owners, or is declared to be local',
    everyTableIsDistributedOrLocal,
    'docket.notes has no owner_id',
    ['create table docket.notes (id uuid primary key)'],
  ],
  [
    'no local table holds owners',
    everyTableIsDistributedOrLocal,
    'docket.rate_windows has one, and is said to be local',
    ['alter table docket.rate_windows add column owner_id text'],
  ],
  [
    'owners have one type everywhere, so that their rows lie together',
    ownersAreOfOneType,
    'docket.notes.owner_id is character varying(255) not null collate "C"',
    ['create table docket.notes (owner_id varchar(255) collate "C" primary key)'],
  ],
  [
    'every unique key starts with the owner',
    uniqueKeysStartWithTheOwner,
    'docket.no_twins of docket.tasks is unique without the owner in front',
    ['create unique index no_twins on docket.tasks (title, owner_id)'],
  ],
  [
    'every primary key starts with the owner',
    uniqueKeysStartWithTheOwner,
    'docket.notes_pkey of docket.notes is unique without the owner in front',
    ['create table docket.notes (id uuid primary key, owner_id text collate "C" not null)'],
  ],
  [
    'every table has a primary key',
    everyTableHasAPrimaryKey,
    'docket.notes has no primary key',
    ['create table docket.notes (owner_id text collate "C" not null)'],
  ],
  [
    'every foreign key pairs owner with owner',
    foreignKeysStayWithTheOwner,
    'other_first of docket.notes refers to docket.tasks',
    [
      `create table docket.notes (owner_id text collate "C", task_id uuid, author text collate "C" not null,
        primary key (owner_id, task_id),
        constraint other_first foreign key (author, task_id) references docket.tasks (owner_id, id))`,
    ],
  ],
  [
    'no foreign key leads to a table that is not distributed',
    foreignKeysStayWithTheOwner,
    'tasks_by_migration of docket.tasks refers to docket.migrations',
    [
      'alter table docket.tasks add column by integer constraint tasks_by_migration references docket.migrations',
    ],
  ],
  [
    'no foreign key comes from a table that is not distributed',
    foreignKeysStayWithTheOwner,
    'window_of of docket.rate_windows refers to docket.owners',
    [
      'alter table docket.rate_windows set logged',
      'alter table docket.rate_windows add constraint window_of foreign key (key) references docket.owners',
    ],
  ],
  [
    'nothing is counted by a sequence',
    nothingIsCountedByASequence,
    'docket.tasks.number takes its value from a sequence',
    ['alter table docket.tasks add column number bigint generated always as identity'],
  ],
  [
    'nobody may give a row to another owner',
    nobodyMayMoveARow,
    'docket_app may give a row of docket.tasks to another owner',
    ['grant update (owner_id) on docket.tasks to docket_app'],
  ],
]

/** Each statement, and where among its parameters the owner stands. */
const input = { id: '', given: {}, limit: 0, skip: 0 }
const statements = taskStatements.map((statement) => {
  const values = statement.values('the owner', input)
  const owner = values.indexOf('the owner') + 1
  return { name: statement.name, text: statement.text, parameters: values.length, owner }
})

describe.each(catalogs)('on %s', (_engine, open) => {
  let catalog: Catalog
  beforeAll(async () => {
    catalog = await open()
  })
  afterAll(() => catalog.close())

  /** What a rule finds once the database was spoiled, which it is not afterwards. */
  const foundAfter = async (offender: readonly string[], look: Rule): Promise<string[]> => {
    await catalog.rows('begin')
    try {
      for (const sql of offender) await catalog.rows(sql)
      return await look(catalog)
    } finally {
      await catalog.rows('rollback')
    }
  }

  test.each(rules)('%s', async (_guarantee, rule, offence, offender) => {
    expect(await rule(catalog)).toEqual([])
    expect(await foundAfter(offender, rule)).toContain(offence)
  })

  test.each(statements)('$name says whose rows it means wherever it touches a table', async (statement) => {
    expect(await unrouted(catalog, statement)).toEqual([])
  })

  test.each<[what: string, text: string, offence: string]>([
    ['without the owner', 'select from docket.tasks where id::text = $1', 'Scan of docket.tasks'],
    ['or anybody', "select from docket.tasks where owner_id = $1 or title = 'x'", 'Scan of docket.tasks'],
    ['of another owner', 'select from docket.tasks where owner_id = $2', 'Scan of docket.tasks'],
    [
      'a join across owners',
      'select from docket.tasks t join docket.owners o on o.task_count = 1 where t.owner_id = $1',
      'Scan of docket.owners',
    ],
    ['an update', "update docket.tasks set title = $1 where title = 'x'", 'Scan of docket.tasks'],
    ['a delete', 'delete from docket.tasks where id::text = $1', 'Scan of docket.tasks'],
    [
      'an insert for somebody else',
      "insert into docket.tasks (owner_id, id, title) values ('bob', gen_random_uuid(), $1)",
      'Insert of docket.tasks',
    ],
    [
      'an insert of what others have',
      'insert into docket.owners (owner_id, task_count) select owner_id, 1 from docket.tasks where title = $1',
      'Insert of docket.owners',
    ],
  ])('a statement is found out: %s', async (_what, text, offence) => {
    const parameters = text.includes('$2') ? 2 : 1
    const spoilt = text.includes('$2') ? `${text} and title = $1` : text
    const found = await unrouted(catalog, { name: 'x', text: spoilt, parameters, owner: 1 })
    expect(found.join()).toContain(offence)
  })

  test('a join within one owner is none', async () => {
    const text = `select from docket.tasks t join docket.owners o on o.owner_id = t.owner_id where t.owner_id = $1`
    expect(await unrouted(catalog, { name: 'x', text, parameters: 1, owner: 1 })).toEqual([])
  })

  const triggersLookElsewhere: Rule = async (each) => {
    const found: string[] = []
    for (const statement of await triggerStatements(each)) found.push(...(await unrouted(each, statement)))
    return found
  }

  test('triggers touch rows of the same owner only', async () => {
    expect(await triggerStatements(catalog)).toHaveLength(3)
    expect(await triggersLookElsewhere(catalog)).toEqual([])
    const offender = `create or replace function docket.count_tasks() returns trigger language plpgsql as $$
      begin
        update docket.owners set task_count = task_count + 1 where task_count = 7;
        return null;
      end $$`
    expect((await foundAfter([offender], triggersLookElsewhere)).join()).toContain('Scan of docket.owners')
  })

  test('a write has nothing that Citus refuses: no function that is not immutable in what it returns or decides', async () => {
    const refused: Record<string, string[]> = {}
    for (const each of statements) refused[each.name] = await refusedIn(each)
    expect(Object.values(refused).flat()).toEqual([])
  })

  /** Functions that are not immutable in what a write returns, or where its value depends on a condition. */
  const refusedIn = async (statement: (typeof statements)[number]): Promise<string[]> => {
    const plan = await keptPlan(catalog, statement)
    if (plan['Node Type'] !== 'ModifyTable') return []
    const subPlans = (plan.Plans ?? []).filter((each) => each['Parent Relationship'] === 'SubPlan')
    const returned = [plan, ...subPlans.flatMap(below)].flatMap((each) => each.Output ?? [])
    const conditional = statement.text.match(/case when[\s\S]* end/) ?? []
    const sql = [...returned, ...conditional].join(' ')
    const called = [...new Set([...sql.matchAll(/\b([a-z_]+)\(/g)].map(([, name]) => `'${name}'`))]
    const found = await catalog.rows<{ name: string }>(
      `select distinct proname as name from pg_proc where provolatile <> 'i'
       and proname in (${[...called, "''"].join(', ')}) order by 1`,
    )
    return found.map(({ name }) => name)
  }
})

test('every statement of every operation was looked at', () => {
  const asked = operations.flatMap((operation) => operation.statements.map(({ name }) => name))
  expect(statements.map(({ name }) => name)).toEqual(expect.arrayContaining([...new Set(asked)]))
})
