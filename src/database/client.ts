import type { Logger } from 'pino'
import { attempt, clock } from './attempts.ts'
import { Deadline } from './deadline.ts'
import type { Driver } from './driver.ts'
import { type Embedded, embeddedEngine } from './embedded.ts'
import { asAppError, databaseUnavailable, mayRepeat } from './failures.ts'
import type { LaneLimits } from './lanes.ts'
import { openLanes } from './open-lanes.ts'
import { type BatchLimits, type OwnerCall, prepareAll } from './owner-batch.ts'
import { ProtectionWatch } from './protection/watch.ts'
import { type Quotas, quotas } from './quotas.ts'
import type { AnyStatement, Row, Statement } from './statement.ts'

/** Something that runs an owner's statement as a transaction of its own, and answers with its first row. */
export type Engine = {
  run(call: OwnerCall): Promise<Row>
  /** The last known state; asks nobody. */
  reachable(): boolean
  /** Whether rights and policies were those that the migrations made, when a connection was last opened; asks nobody. */
  isolated(): boolean
  /** How many calls wait for a connection; an engine without a queue has none. */
  waiting?(): number
  close(): Promise<void>
}

/** The one door to owners' rows. */
export type Database = {
  /**
   * Runs one statement as one owner: the policies see that owner, the statement says `WHERE owner_id`, and
   * both come from here, never from the input.
   *
   * What failed and is known to have changed nothing is sent again, three times in all; a write of which that is not
   * known is not. It answers within 10 s. What waits for a connection is dropped once `gone` says that nobody waits
   * for the answer any more.
   *
   * @throws AppError `quota_exceeded`, `unavailable` or `internal`.
   */
  asOwner<Input, Result>(
    owner: string,
    statement: Statement<Input, Result>,
    input: Input,
    gone?: () => boolean,
  ): Promise<Result>
  reachable(): boolean
  isolated(): boolean
  /** How many statements wait for a connection. */
  waiting(): number
  close(): Promise<void>
}

export type PostgresOptions = {
  url: string
  /** How it is reached; TCP unless told. */
  driver?: Driver
  statements: readonly AnyStatement[]
  log: Logger
  limits?: Partial<LaneLimits & BatchLimits & RequestLimits & WatchLimits>
}

/** How long after a difference rights and policies are compared again. */
export type WatchLimits = { readonly compareAgainMs: number }

/** How long the door is held open for one call, repeats included. */
export type RequestLimits = { readonly requestMs: number }

/**
 * A Postgres by whichever driver. The first connection is opened here.
 * @throws StartError when that fails.
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const watch = new ProtectionWatch(options.log, options.limits?.compareAgainMs)
  const lanes = await openLanes(options, watch)
  const engine: Engine = {
    run: (call) => lanes.run(call),
    reachable: () => lanes.reachable,
    isolated: () => watch.intact,
    waiting: () => lanes.waiting,
    close: () => {
      watch.close()
      return lanes.close()
    },
  }
  return databaseOn(engine, options.limits)
}

/** The embedded Postgres, which is already open. */
export async function openPglite(
  embedded: Embedded,
  { statements, log, limits = {} }: Pick<PostgresOptions, 'statements' | 'log' | 'limits'>,
): Promise<Database> {
  const watch = new ProtectionWatch(log)
  return databaseOn(await embeddedEngine(embedded, prepareAll(statements, limits), watch), limits)
}

/** A request is answered within 10 s: the last of it is how often that is looked at. */
export const requestLimits: RequestLimits = { requestMs: 9_500 }
const checkEveryMs = 500

/** How often one batch is sent at the most. */
const most = 3

/** The door in front of an engine: it repeats what may be repeated, and nobody stands in it for ever. */
export function databaseOn(engine: Engine, given: Partial<RequestLimits & Quotas> = {}): Database {
  const limits = { ...requestLimits, ...quotas, ...given }
  const { requestMs } = limits
  const deadline = new Deadline({ afterMs: requestMs, everyMs: checkEveryMs })
  return {
    reachable: () => engine.reachable(),
    isolated: () => engine.isolated(),
    waiting: () => engine.waiting?.() ?? 0,
    close: async () => {
      await engine.close()
      deadline.close()
    },
    async asOwner(owner, statement, input, gone) {
      const values = statement.values(owner, input)
      const call = { owner, statement, values, weight: statement.weight(input), gone }
      const again = (error: unknown) => mayRepeat(error, statement.kind) && !gone?.()
      const answered = attempt(() => engine.run(call), again, { most, withinMs: requestMs, ...clock })
      try {
        return statement.result(await deadline.watch(answered, databaseUnavailable))
      } catch (error) {
        throw asAppError(error, limits)
      }
    },
  }
}
