import type { PGlite } from '@electric-sql/pglite'
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { loadPglite } from '../../config/optional-packages.ts'

/**
 * PGlite's only session in the shape of a `pg.Pool`, for code that needs a pool (Better Auth, through Kysely).
 *
 * From `connect()` to `release()` the caller has the session alone. No other caller's statement enters its
 * transaction, and its statements enter no other transaction.
 * This relies on the two mutexes in PGlite's source:
 * - `runExclusive` is the query mutex. Every statement takes it; callers of `execProtocol` must take it themselves.
 * - `_runExclusiveTransaction` is the transaction mutex. `transaction()` keeps it to its end, but releases the
 *   query mutex between its statements. `runExclusive` alone could therefore enter another transaction.
 *
 * The pool takes both, in PGlite's own order. While a client is out, `pglite.query()` and similar calls wait.
 * Awaiting one before `release()` would wait for ever. `release()` rolls back an open transaction.
 *
 * `end()` does nothing, because the opener of the PGlite closes it. `connect()` rejects once it is closed.
 */
export function createPglitePool(pglite: PGlite): PostgresPool {
  const connect = () =>
    new Promise<PostgresPoolClient>((resolve, reject) => {
      const lend = async () => {
        await pglite._checkReady()
        const wire = await loadPglite()
        const released = Promise.withResolvers<void>()
        const client = new ExclusiveClient(pglite, wire, released.resolve)
        resolve(client)
        await released.promise
        await client.settle()
      }
      pglite._runExclusiveTransaction(() => pglite.runExclusive(lend)).catch(reject)
    })
  return { connect, end: async () => {} }
}

/** The functions of PGlite's package that write and read the protocol. */
type Wire = Pick<typeof import('@electric-sql/pglite'), 'parse' | 'protocol'>

class ExclusiveClient implements PostgresPoolClient {
  readonly #pglite: PGlite
  readonly #wire: Wire
  readonly #unlock: () => void
  #released = false
  #latest: Promise<unknown> = Promise.resolve()

  constructor(pglite: PGlite, wire: Wire, unlock: () => void) {
    this.#pglite = pglite
    this.#wire = wire
    this.#unlock = unlock
  }

  /**
   * Runs one statement by the extended protocol.
   * @throws PGlite's `DatabaseError` when it is refused; `code` is the SQLSTATE.
   */
  query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  query<R>(
    sql: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof sql !== 'string') throw new Error('The embedded database has no cursors')
    if (this.#released) throw new Error('This client was released: the session is somebody else’s now')
    const result = this.#send<R>(sql, parameters)
    this.#latest = result.catch(() => {})
    return result
  }

  release() {
    this.#released = true
    this.#unlock()
  }

  /** Leaves the session ready for the next caller: nothing running, no transaction open. */
  async settle() {
    await this.#latest
    if (this.#pglite.isInTransaction()) await this.#send('ROLLBACK', [])
  }

  async #send<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    const { parse, protocol } = this.#wire
    const { serialize } = protocol
    const batch = Buffer.concat([
      serialize.parse({ text: sql }),
      serialize.bind({ values: parameters.map(toText) }),
      serialize.describe({ type: 'P' }),
      serialize.execute({}),
      serialize.sync(),
    ])
    const answers = await this.#pglite.execProtocolStream(batch, { throwOnError: false })
    const refusal = answers.find((answer) => answer instanceof Error)
    if (refusal) throw refusal
    const [result] = parse.parseResults(answers, this.#pglite.parsers)
    // The caller declares the row shape of its own statement, as with `pg`.
    return { command: 'SELECT', rowCount: 0, ...result } as PostgresQueryResult<R>
  }
}

/**
 * Converts values as `pg` does, except that an array becomes JSON instead of a Postgres array. Better Auth stores
 * none.
 */
function toText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
