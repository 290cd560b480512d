import { z } from '../../../src/api/schema.ts'

export const fields = {
  words: z
    .string({ error: ({ input }) => (input === undefined ? 'is required' : 'must be a string') })
    .min(1)
    .openapi({ example: 'Some words' }),
  colour: z.string({ error: 'must be a string' }).nullable().openapi({ example: 'red' }),
}
export const defaults = { colour: null }
export const NoteId = z
  .uuid({ error: 'must be a UUID' })
  .toLowerCase()
  .openapi({ format: 'uuid', example: '0199d5f2-6c5a-7d41-9c8e-3f2a1b4c5d6e' })
const instant = z.iso.datetime({ precision: 3 })
export const Note = z
  .object({ id: NoteId, ...fields, owner_id: z.string(), created_at: instant, updated_at: instant })
  .openapi('Note')
