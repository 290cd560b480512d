import { is, Param, Placeholder, type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/pg-proxy'

/** A value as Postgres takes it in text format. */
export type Value = string | number | boolean | null

/** The columns of the one row a statement answers, as text; `undefined` when it answers no row. */
export type Row = readonly (string | null)[] | undefined

/**
 * One statement of the closed set that Docket runs, compiled once: its text, the order of its parameters, and
 * how its single row becomes a result. It can only be run through `asOwner`, which supplies the owner.
 */
export type Statement<Input, Result> = {
  readonly name: string
  /** A `read` may be repeated on another connection when its answer was lost; a `write` may not. */
  readonly kind: 'read' | 'write'
  /**
   * How long it keeps a process of Postgres busy, in steps of about 70 µs; a read of one row by its key, the lightest, is
   * 1. Others may stand behind it for so long. A whole number, because these are added and taken away again. `Infinity`,
   * as it is unless told, where that cannot be known: it waits for the disk or for locks.
   */
  readonly weight: (input: Input) => number
  readonly text: string
  readonly values: (owner: string, input: Input) => Value[]
  readonly result: (row: Row) => Result
}

/** Any statement, for lists of them; it can be prepared but not run. */
export type AnyStatement = Pick<Statement<never, unknown>, 'name' | 'kind' | 'text'>

const ownerParameter = 'owner_id'

/** Stands for the caller wherever a statement says whose rows it means. Its value comes from the token alone. */
export const owner = sql.placeholder(ownerParameter)

/** Builds statements and has no connection: anything run on it throws. */
export const build = drizzle(() => Promise.reject(new Error('Statements are run through asOwner')))

type Buildable = { toSQL(): { sql: string; params: unknown[] } }

/**
 * Compiles a Drizzle query into a statement.
 *
 * @throws Error at start-up when the query does not name the owner, or takes a value that is no placeholder.
 */
export function defineStatement<Input extends Record<string, Value>, Result>(definition: {
  name: string
  kind: 'read' | 'write'
  weight?: (input: Input) => number
  query: Buildable
  result: (row: Row) => Result
}): Statement<Input, Result> {
  const { name, kind, weight = () => Infinity, result } = definition
  const { sql: numbered, params } = definition.query.toSQL()
  const names = params.map(nameOf)
  const parameters = [...new Set(names)]
  // Drizzle numbers every occurrence; a value that stands in several places is sent once.
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
  return Object.freeze({ name, kind, weight, text, values, result })
}

/** Runs a statement that is written as SQL text where Drizzle's builder has no word for it. */
export function raw(query: SQL): Buildable {
  return { toSQL: () => build.execute(query).getQuery() }
}

/** Drizzle wraps a placeholder that stands for a column's value in a `Param`. */
function nameOf(parameter: unknown): string {
  const inner = is(parameter, Param) ? parameter.value : parameter
  if (is(inner, Placeholder)) return inner.name
  throw new Error('A statement takes its values by placeholders only')
}
