import { sql } from 'drizzle-orm'
import {
  build,
  type Cells,
  defineStatement,
  owner,
  raw,
  type Statement,
} from '../../src/database/statements/statement.ts'
import { deleteTask, getTask, listTasks, patchTask, taskStatements } from '../../src/tasks/statements.ts'
import { tasks } from '../../src/tasks/table.ts'

const whose = /"docket"\."tasks"\."owner_id" = (\$\d+)/g

/** The same statement with its first lock taken off: it no longer says whose rows it means. */
function unlocked<Input, Result>(statement: Statement<Input, Result>): Statement<Input, Result> {
  const text = statement.text.replaceAll(whose, '$1::text is not null')
  if (text === statement.text) throw new Error(`${statement.name} has no WHERE owner_id`)
  return { ...statement, name: `${statement.name}_unlocked`, text }
}

/** Every statement that chooses rows, without its `WHERE owner_id`. */
export const listAnybodys = unlocked(listTasks)
export const getAnybodys = unlocked(getTask)
export const patchAnybodys = unlocked(patchTask)
export const deleteAnybodys = unlocked(deleteTask)

const text = ([row]: readonly Cells[]) => row?.[0] ?? null
const other = sql.placeholder('other')

/** Writes a task into somebody else's list. */
export const createForOther = defineStatement<{ id: string; title: string; other: string }, string | null>({
  name: 'create_for_other',
  access: 'write',
  query: raw(sql`insert into ${tasks} (owner_id, id, title)
    select ${other}::text, ${sql.placeholder('id')}::uuid, ${sql.placeholder('title')}::text where ${owner}::text is not null
    returning title`),
  rows: text,
})

/** Gives one's own task to somebody else. */
export const giveAway = defineStatement<{ id: string; other: string }, string | null>({
  name: 'give_away',
  access: 'write',
  query: build
    .update(tasks)
    .set({ owner_id: sql`${other}` })
    .where(sql`${tasks.owner_id} = ${owner} and ${tasks.id} = ${sql.placeholder('id')}`)
    .returning({ id: tasks.id }),
  rows: text,
})

/** Whom the policies see: the owners of all rows there are. */
export const ownersSeen = defineStatement<Record<never, never>, string | null>({
  name: 'owners_seen',
  access: 'read',
  query: raw(
    sql`select string_agg(distinct owner_id, ' ' order by owner_id) from ${tasks} where ${owner}::text is not null`,
  ),
  rows: text,
})

export const unlockedStatements = [
  listAnybodys,
  getAnybodys,
  patchAnybodys,
  deleteAnybodys,
  createForOther,
  giveAway,
  ownersSeen,
]

export const allStatements = [...taskStatements, ...unlockedStatements]
