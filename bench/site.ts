import type { TokenIssuer } from '../test/support/token-issuer.ts'

/** What everybody who is measured is given, and is to use. */
export type Site = {
  /** A folder of the run, for whatever is written. */
  readonly folder: string
  /** Where to listen, on loopback. */
  readonly port: number
  /** Filled, and migrated by Docket. */
  readonly databaseUrl: string
  /** For those who send many statements on a connection; others take as many as suit them. */
  readonly databaseConnections: number
  /** Of the load. */
  readonly connections: number
  readonly issuer: Pick<TokenIssuer, 'url' | 'issuer' | 'audience'>
  /** The token of the owner of a number, as the issuer signs it. */
  readonly tokenOf: (owner: number) => Promise<string>
}
