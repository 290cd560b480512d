import { operations } from '../../src/operations.ts'
import { noteOperations } from '../api/notes/operations.ts'
import { notesSql } from '../api/notes/table.ts'

/** Whether this run adds a resource that only tests have, to show that the generated loops cover a new one by themselves. */
const toy = process.env.TEST_TOY === 'true'

/** The operations that the API under test has. */
export const testedOperations = toy ? [...operations, ...noteOperations] : operations

/** SQL that the database needs besides the migrations. */
export const extraSql = toy ? notesSql : undefined
