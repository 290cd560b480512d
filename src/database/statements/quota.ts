/** A limit on what one owner may store. A trigger of a table refuses more, by an SQLSTATE of our own. */
export type Quota = {
  /** The setting of the transaction that tells the trigger the limit. */
  readonly setting: string
  readonly most: number
  /** The SQLSTATE, of the class `DQ`. */
  readonly state: string
  /** For the log. */
  readonly reason: string
  /** For the caller: which limit applies, and what to do. */
  readonly sentence: string
}
