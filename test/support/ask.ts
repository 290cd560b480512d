import type { Database } from '../../src/database/database.ts'
import { question, type Statement } from '../../src/database/statements/statement.ts'

/** Runs one statement as one owner. */
export async function askOne<Input, Result>(
  database: Pick<Database, 'ask'>,
  owner: string,
  statement: Statement<Input, Result>,
  input: Input,
  gone?: () => boolean,
): Promise<Result> {
  const [result] = await database.ask(owner, [question(statement, input)], gone)
  return result
}
