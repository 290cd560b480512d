import type { PGlite } from '@electric-sql/pglite'
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { loadPglite } from '../../config/optional-packages.ts'

/**
 * PGlite's one session in the shape of a `pg.Pool`, for code that wants a pool (Better Auth, through Kysely).
 *
 * From `connect()` to `release()` the caller has the session alone: nobody's statement lands in its
 * transaction, and its statements land in nobody's. This rests on the two mutexes in PGlite's source:
 * - `runExclusive` is the query mutex. Every statement takes it; callers of `execProtocol` must do so themselves.
 * - `_runExclusiveTransaction` is the transaction mutex. `transaction()` keeps it to its end but lets go of the
 *   query mutex between its statements, so `runExclusive` alone could step into the middle of one.
 *
 * We take both, in PGlite's own order. While a client is out, `pglite.query()` and the like wait: awaiting one
 * before `release()` would wait for ever. A transaction left open is rolled back on release.
 *
 * `end()` does nothing: whoever opened the PGlite closes it. `connect()` rejects once it is closed.
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

/** How PGlite's package writes and reads the protocol. */
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

  /** One statement by the extended protocol. A refused one throws PGlite's `DatabaseError`; `code` is the SQLSTATE. */
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

  /** Leaves the session as the next caller expects it: nothing running, no transaction open. */
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
    // The row shape is the caller's claim about its own statement, as it is with `pg`.
    return { command: 'SELECT', rowCount: 0, ...result } as PostgresQueryResult<R>
  }
}

/** As `pg` does it, save that an array is JSON and no Postgres array: Better Auth stores none. */
function toText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
