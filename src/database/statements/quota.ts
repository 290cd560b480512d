/** A limit on the data of one owner. A trigger of a table refuses more, with an SQLSTATE of our own. */
export type Quota = {
  /** The setting of the transaction that passes the limit to the trigger. */
  readonly setting: string
  readonly most: number
  /** The SQLSTATE, of the class `DQ`. */
  readonly state: string
  /** For the log. */
  readonly reason: string
  /** For the caller: which limit applies, and what to do. */
  readonly sentence: string
}
