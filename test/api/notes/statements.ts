import { readsOf } from '../../../src/database/statements/reads.ts'
import { writesOf } from '../../../src/database/statements/writes.ts'
import { defaults, fields } from './schemas.ts'
import { notes } from './table.ts'

export const noteReads = readsOf('note', notes)
export const noteWrites = writesOf('note', notes, Object.keys(fields), defaults)
