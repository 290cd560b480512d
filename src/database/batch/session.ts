export type Column = string | number | boolean | null

/**
 * A plain session of the login role, for migrations and for looking at the database at start-up. Rows of owners
 * are not read or written through it.
 */
export type Session = {
  /** Runs SQL text, one statement or several, and returns the rows of the last one. */
  run(text: string): Promise<Record<string, Column>[]>
}
