export type Column = string | number | boolean | null

/**
 * A plain session of the login role, for migrations and for checks at start-up. It never reads or writes rows of
 * owners.
 */
export type Session = {
  /** Runs SQL text, one statement or several, and returns the rows of the last one. */
  run(text: string): Promise<Record<string, Column>[]>
}
