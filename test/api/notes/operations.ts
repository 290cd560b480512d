import { operationsOf, type Resource } from '../../../src/api/resource.ts'
import { defaults, fields, Note, NoteId } from './schemas.ts'
import { noteReads, noteWrites } from './statements.ts'
import { notes } from './table.ts'

const note = {
  ...{ noun: 'note', path: '/notes', tag: { name: 'Notes', description: "The caller's own notes." } },
  ...{ table: notes, schema: Note, id: NoteId, fields, defaults },
} satisfies Resource

export const noteOperations = operationsOf(note, noteReads, noteWrites)
