import { createSchemaFactory } from 'drizzle-zod'
import { z } from '../api/schema.ts'
import { descriptionLimit, taskStatuses, titleLimit } from './limits.ts'
import { tasks } from './table.ts'

const { createSelectSchema } = createSchemaFactory({ zodInstance: z })

/**
 * Text that is stored byte for byte. Its length is counted in code points. Postgres cannot store a lone surrogate or a
 * NUL unchanged, so either is refused, never altered.
 */
function text(limit: number): z.ZodString {
  return z.string({ error: requiredOr('must be a string') }).superRefine((value, context) => {
    const fault = (code: string, message: string) =>
      context.addIssue({ code: 'custom', params: { code }, message, input: undefined })
    if (!value.isWellFormed()) fault('unpaired_surrogate', 'must not hold half of a surrogate pair')
    if (value.includes('\0')) fault('nul', 'must not hold a NUL character')
    // A code point is one or two UTF-16 units, so only lengths between the limit and its double need counting.
    if (value.length > limit && (value.length > limit * 2 || [...value].length > limit))
      fault('too_long', `must be at most ${limit} characters long`)
  })
}

function requiredOr(sentence: string): (issue: { input?: unknown }) => string {
  return (issue) => (issue.input === undefined ? 'is required' : sentence)
}

/**
 * The pattern of a text in the document: no NUL, and for a title, not blank. ECMA-262, RE2, Python and Java read this
 * spelling alike, and it never backtracks.
 */
const patterns = { text: '^[^\\x00]*$', notBlank: '^\\s*[^\\s\\x00][^\\x00]*$' }

const title = text(titleLimit)
  .refine((value) => /\S/.test(value), { params: { code: 'blank' }, message: 'must not be blank' })
  .openapi({ minLength: 1, maxLength: titleLimit, pattern: patterns.notBlank, example: 'Buy milk' })

const description = text(descriptionLimit).nullable().openapi({
  maxLength: descriptionLimit,
  pattern: patterns.text,
  example: 'Two litres, the one with the blue cap',
})

const status = z.enum(taskStatuses, {
  error: requiredOr(`must be one of ${taskStatuses.map((each) => `"${each}"`).join(', ')}`),
})

/** Any RFC 9562 UUID, in either case. It becomes lower case here. */
export const TaskId = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, { error: 'must be a UUID' })
  .toLowerCase()
  .openapi({ format: 'uuid', example: '0199d5f2-6c5a-7d41-9c8e-3f2a1b4c5d6e' })

const instant = z.iso
  .datetime({ precision: 3 })
  .openapi({ description: 'RFC 3339, UTC, milliseconds', example: '2026-11-20T18:27:00.123Z' })

/** A task in responses. */
export const Task = createSelectSchema(tasks, {
  id: TaskId,
  title,
  description,
  status,
  owner_id: (schema) => schema.openapi({ description: "The token's subject.", example: 'kQ3vXo9…' }),
  created_at: instant,
  updated_at: instant.openapi({ description: 'Equal to `created_at` until the first change.' }),
}).openapi('Task')
export type Task = z.output<typeof Task>

/** The fields that a client may write. */
export const fields = { title, description, status }

/** The optional fields of a new task, with their default values. */
export const defaults = { description: null, status: 'Todo' } as const
