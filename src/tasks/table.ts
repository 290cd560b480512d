import { sql } from 'drizzle-orm'
import { check, index, pgSchema, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { descriptionLimit, taskStatuses, titleLimit } from './limits.ts'

/** Docket stores all data of owners in this schema, apart from the tables of the app beside it. */
export const docketSchema = pgSchema('docket')

/**
 * The one definition of a task. Request and response schemas, types, statements and the OpenAPI document are derived
 * from it. `test/database/definition.postgres.test.ts` compares it with the result of the migrations.
 *
 * The key starts with the owner. So two owners may hold the same id, and an id does not reveal whether it exists.
 */
export const tasks = docketSchema.table(
  'tasks',
  {
    id: uuid('id').notNull(),
    title: text('title').notNull(),
    description: text('description'),
    status: text('status', { enum: taskStatuses }).notNull().default('Todo'),
    owner_id: text('owner_id').notNull(),
    created_at: timestamp('created_at', { precision: 3, withTimezone: true }).notNull().defaultNow(),
    updated_at: timestamp('updated_at', { precision: 3, withTimezone: true }).notNull().defaultNow(),
  },
  (task) => [
    primaryKey({ name: 'tasks_pkey', columns: [task.owner_id, task.id] }),
    index('tasks_newest_first').on(task.owner_id, task.created_at.desc(), task.id.desc()),
    check('tasks_owner_length', sql`char_length(${task.owner_id}) between 1 and 255`),
    check('tasks_title_length', sql`char_length(${task.title}) between 1 and ${sql.raw(String(titleLimit))}`),
    check(
      'tasks_description_length',
      sql`char_length(${task.description}) <= ${sql.raw(String(descriptionLimit))}`,
    ),
    check('tasks_status_known', sql`${task.status} in ('Todo', 'InProgress', 'Done')`),
  ],
)
