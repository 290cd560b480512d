import type { Principal } from '../auth/principal.ts'
import type { AnyStatement, Question, ResultsOf } from '../database/statements/statement.ts'
import type { ErrorCode } from '../errors.ts'
import type { Answer } from './answer.ts'
import type { z } from './schema.ts'

/**
 * Runs statements as the caller: one transaction, one round trip, one result per statement. It accepts only the
 * statements that the operation lists.
 *
 * @throws AppError `quota_exceeded`, `unavailable`, `rate_limited` or `internal`.
 */
export type Ask<Name extends string = string> = <const Asked extends readonly Question<unknown, Name>[]>(
  ...asked: Asked
) => Promise<ResultsOf<Asked>>

/** The schemas of an operation's input. An operation without `query` accepts no query parameters. */
export type Schemas = {
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
}

type Given<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined

/** The input, checked against the schemas. */
export type Input<S extends Schemas = Schemas> = {
  readonly params: Given<S['params']>
  readonly query: Given<S['query']>
  readonly body: Given<S['body']>
}

/** A request without HTTP. */
export type Call<S extends Schemas = Schemas, Name extends string = string> = {
  readonly caller: Principal
  readonly ask: Ask<Name>
  readonly input: Input<S>
}

/** A group of operations in the document. */
export type Tag = { readonly name: string; readonly description: string }

/** A success in the document: its status, its meaning and the schema of its body. */
export type Success = {
  readonly status: 200 | 201 | 204
  readonly description: string
  readonly body?: z.ZodType
  /** Headers beyond those of every response, with their descriptions. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * One operation behind a token: its OpenAPI description and its handler, in one declaration. The router, the document,
 * the prepared statements and the tests over all operations come from it.
 */
export type Operation = {
  readonly id: string
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** Below the base path, as OpenAPI writes it: `/tasks/{id}`. */
  readonly path: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  readonly schemas: Schemas
  /** Media types of the body besides `application/json`. */
  readonly bodyTypes?: readonly string[]
  readonly successes: readonly Success[]
  /** Failures beyond those that any operation has. */
  readonly failures: readonly ErrorCode[]
  /** The sentence for a path that names no resource of the caller. */
  readonly missing?: string
  readonly statements: readonly AnyStatement[]
  readonly handle: (call: Call) => Answer<unknown> | Promise<Answer<unknown>>
}

type Declared<S extends Schemas, Asked extends AnyStatement, T> = Omit<
  Operation,
  'schemas' | 'statements' | 'failures' | 'handle'
> & {
  readonly schemas?: S
  readonly statements?: readonly Asked[]
  readonly failures?: readonly ErrorCode[]
  readonly handle: (call: Call<S, Asked['name']>) => Answer<T> | Promise<Answer<T>>
}

/** Declares an operation. The types of its schemas and statements type its handler. */
export function operation<
  const S extends Schemas = Record<never, never>,
  const Asked extends AnyStatement = never,
  T = unknown,
>(declared: Declared<S, Asked, T>): Operation {
  const { schemas, statements = [], failures = [], handle, ...rest } = declared
  // Safe: the input was checked against these schemas, and `ask` takes these statements.
  return { ...rest, schemas: schemas ?? {}, statements, failures, handle: handle as Operation['handle'] }
}
