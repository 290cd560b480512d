import type { Logger } from 'pino'
import { clientConfig } from './connection-url.ts'
import { type Embedded, embeddedEngine } from './embedded.ts'
import { asAppError, failureOf } from './failures.ts'
import { type LaneLimits, Lanes, laneLimits } from './lanes.ts'
import { type BatchLimits, type OwnerCall, prepareAll } from './owner-batch.ts'
import type { AnyStatement, Row, Statement } from './statement.ts'
import { unreachable } from './unreachable.ts'

/** Something that runs an owner's statement as a transaction of its own, and answers with its first row. */
export type Engine = {
  run(call: OwnerCall): Promise<Row>
  /** The last known state; asks nobody. */
  reachable(): boolean
  close(): Promise<void>
}

/** The one door to owners' rows. */
export type Database = {
  /**
   * Runs one statement as one owner: the policies see that owner, the statement says `WHERE owner_id`, and
   * both come from here, never from the input.
   * @throws AppError `quota_exceeded`, `unavailable` or `internal`.
   */
  asOwner<Input, Result>(owner: string, statement: Statement<Input, Result>, input: Input): Promise<Result>
  reachable(): boolean
  close(): Promise<void>
}

export type PostgresOptions = {
  url: string
  statements: readonly AnyStatement[]
  log: Logger
  limits?: Partial<LaneLimits & BatchLimits>
}

/**
 * A Postgres over TCP. The first connection is opened here.
 * @throws StartError when that fails.
 */
export async function openPostgres({
  url,
  statements,
  log,
  limits = {},
}: PostgresOptions): Promise<Database> {
  const lanes = new Lanes({
    config: clientConfig(url),
    preparation: prepareAll(statements, limits),
    limits: { ...laneLimits, ...limits },
    log,
  })
  try {
    await lanes.connect()
  } catch (error) {
    await lanes.close()
    throw unreachable(error, 'DATABASE_URL')
  }
  return databaseOn({
    run: (call) => lanes.run(call),
    reachable: () => lanes.reachable,
    close: () => lanes.close(),
  })
}

/** The embedded Postgres, which is already open. */
export async function openPglite(
  embedded: Embedded,
  statements: readonly AnyStatement[],
  limits: Partial<BatchLimits> = {},
): Promise<Database> {
  return databaseOn(await embeddedEngine(embedded, prepareAll(statements, limits)))
}

/** How often one batch is sent at the most. */
const attempts = 3

function databaseOn(engine: Engine): Database {
  return {
    reachable: () => engine.reachable(),
    close: () => engine.close(),
    async asOwner(owner, statement, input) {
      const call = { owner, statement, values: statement.values(owner, input) }
      for (let attempt = 1; ; attempt++) {
        try {
          return statement.result(await engine.run(call))
        } catch (error) {
          const { repeat, lost } = failureOf(error)
          // A lost write may have happened: repeating it could do it twice.
          const again = repeat || (lost && statement.kind === 'read')
          if (!again || attempt === attempts) throw asAppError(error)
        }
      }
    },
  }
}
