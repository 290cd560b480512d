import { is, Param, Placeholder, type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/pg-proxy'

/** A value as Postgres takes it in text format. */
export type Value = string | number | boolean | null

/** The columns of one row, as the text that Postgres sends. */
export type Cells = readonly (string | null)[]

/**
 * Whether a statement may be repeated after its result was lost. A `read` is repeated. A `repeatable-write` is
 * repeated too, because the second run changes nothing more. A `write` is not.
 */
export type Access = 'read' | 'repeatable-write' | 'write'

/**
 * One statement, compiled once: its text, the order of its parameters, and the conversion of its rows to a result.
 * Only `ask` runs it, and supplies the owner.
 */
export type Statement<Input, Result, Name extends string = string> = {
  readonly name: Name
  readonly access: Access
  /** True when connections know it by its name. Otherwise its text travels with each batch. */
  readonly prepared: boolean
  /**
   * How long it keeps a Postgres process busy, in steps of about 70 µs. A read of one row by its key, the lightest,
   * is 1. Other batches may wait behind it for this time.
   * It is a whole number, because weights are added and subtracted. The default, `Infinity`, means unknown: the
   * statement waits for the disk or for locks.
   */
  readonly weight: (input: Input) => number
  readonly text: string
  readonly values: (owner: string, input: Input) => Value[]
  readonly rows: (rows: readonly Cells[]) => Result
}

/** Any statement, for lists of them. It can be prepared but not run. */
export type AnyStatement = Pick<Statement<never, unknown>, 'name' | 'access' | 'prepared' | 'text'>

/** A statement with its input. */
export type Question<Result = unknown, Name extends string = string> = {
  readonly statement: AnyStatement & { readonly name: Name }
  readonly weight: number
  readonly values: (owner: string) => readonly Value[]
  readonly rows: (rows: readonly Cells[]) => Result
}

export function question<Input, Result, Name extends string>(
  statement: Statement<Input, Result, Name>,
  input: Input,
): Question<Result, Name> {
  return {
    statement,
    weight: statement.weight(input),
    values: (owner) => statement.values(owner, input),
    rows: statement.rows,
  }
}

/** The result of each question, in their order. */
export type ResultsOf<Asked extends readonly Question[]> = {
  -readonly [At in keyof Asked]: Asked[At] extends Question<infer Result> ? Result : never
}

const ownerParameter = 'owner_id'

/** Stands for the caller wherever a statement names the owner of its rows. Its value comes from the token alone. */
export const owner = sql.placeholder(ownerParameter)

/** Builds statements without a connection. Running one on it throws. */
export const build = drizzle(() => Promise.reject(new Error('Statements are run through ask')))

type Buildable = { toSQL(): { sql: string; params: unknown[] } }

/**
 * Compiles a Drizzle query into a statement.
 *
 * @throws Error at start-up when the query does not name the owner, or takes a value that is no placeholder.
 */
export function defineStatement<
  Input extends Record<string, Value>,
  Result,
  const Name extends string = string,
>(definition: {
  name: Name
  access: Access
  prepared?: boolean
  weight?: (input: Input) => number
  query: Buildable
  rows: (rows: readonly Cells[]) => Result
}): Statement<Input, Result, Name> {
  const { name, access, prepared = true, weight = () => Infinity, rows } = definition
  const { sql: numbered, params } = definition.query.toSQL()
  const names = params.map(nameOf)
  const parameters = [...new Set(names)]
  // Drizzle numbers every occurrence. A value that occurs several times is sent once.
  const text = numbered.replace(
    /\$(\d+)/g,
    (_, n) => `$${parameters.indexOf(names[Number(n) - 1] ?? '') + 1}`,
  )
  if (!parameters.includes(ownerParameter))
    throw new Error(`Statement ${name} does not say whose rows it means`)
  const values = (ownerId: string, input: Input): Value[] =>
    parameters.map((parameter) => {
      const value = parameter === ownerParameter ? ownerId : input[parameter]
      if (value === undefined) throw new Error(`Statement ${name} lacks ${parameter}`)
      return value
    })
  return Object.freeze({ name, access, prepared, weight, text, values, rows })
}

/** Wraps SQL text as a query, where Drizzle's builder cannot express the statement. */
export function raw(query: SQL): Buildable {
  return { toSQL: () => build.execute(query).getQuery() }
}

/** Drizzle wraps a placeholder that stands for a column's value in a `Param`. */
function nameOf(parameter: unknown): string {
  const inner = is(parameter, Param) ? parameter.value : parameter
  if (is(inner, Placeholder)) return inner.name
  throw new Error('A statement takes its values by placeholders only')
}
