import { type BatchLimits, batchLimits, batchOf, prepareAll } from './batch/batch.ts'
import type { Engine } from './batch/engine.ts'
import { type Embedded, embeddedEngine } from './embedded/embedded.ts'
import { Deadline } from './failures/deadline.ts'
import { asAppError, databaseUnavailable, mayRepeat } from './failures/failures.ts'
import { attempt, clock } from './failures/retry.ts'
import { type LanesOptions, openLanes } from './lanes/open-lanes.ts'
import { ProtectionWatch } from './protection/watch.ts'
import type { Question, ResultsOf } from './statements/statement.ts'

/** The only access to owners' rows. */
export type Database = {
  /**
   * Runs statements as one owner, all or none, in one transaction and one round trip.
   * The policies see that owner, and each statement says `WHERE owner_id`. Both take the owner from this argument,
   * never from the input.
   *
   * A failed batch that is known to have changed nothing is sent again, three times in all. A write is not repeated
   * when it may have changed something.
   * The result comes within 10 s. A batch that waits for a connection is dropped once `gone` returns true: then
   * nobody waits for the result.
   *
   * @throws AppError `quota_exceeded`, `unavailable` or `internal`.
   */
  ask<const Asked extends readonly Question[]>(
    owner: string,
    questions: Asked,
    gone?: () => boolean,
  ): Promise<ResultsOf<Asked>>
  reachable(): boolean
  isolated(): boolean
  /** Number of batches that wait for a connection. */
  waiting(): number
  close(): Promise<void>
}

/** Longest duration of one call to `ask`, retries included. */
export type RequestLimits = { readonly requestMs: number }

/** After a difference, rights and policies are compared again at this interval. */
export type WatchLimits = { readonly compareAgainMs: number }

export type PostgresOptions = LanesOptions & { limits?: Partial<RequestLimits & WatchLimits> }

/**
 * Opens a Postgres with any driver, and its first connection.
 * @throws StartError when that fails.
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const watch = new ProtectionWatch(options.log, options.limits?.compareAgainMs)
  const lanes = await openLanes(options, watch)
  const engine: Engine = {
    run: (batch) => lanes.run(batch),
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

/** A request completes within 10 s. The last 500 ms of it are the interval between two checks. */
export const requestLimits: RequestLimits = { requestMs: 9_500 }
const checkEveryMs = 500

/** Maximum attempts for one batch. */
const most = 3

/** Puts retries and a deadline in front of an engine. */
export function databaseOn(engine: Engine, given: Partial<RequestLimits & BatchLimits> = {}): Database {
  const { requestMs, quotas } = { ...requestLimits, ...batchLimits, ...given }
  const deadline = new Deadline({ afterMs: requestMs, everyMs: checkEveryMs })
  return {
    reachable: () => engine.reachable(),
    isolated: () => engine.isolated(),
    waiting: () => engine.waiting?.() ?? 0,
    close: async () => {
      await engine.close()
      deadline.close()
    },
    async ask<const Asked extends readonly Question[]>(
      owner: string,
      questions: Asked,
      gone?: () => boolean,
    ): Promise<ResultsOf<Asked>> {
      const batch = batchOf(owner, questions, gone)
      const again = (error: unknown) => mayRepeat(error, batch.access) && !gone?.()
      const answered = attempt(() => engine.run(batch), again, { most, withinMs: requestMs, ...clock })
      try {
        const results = await deadline.watch(answered, databaseUnavailable)
        // One result for each question, in their order.
        return questions.map(({ rows }, i) => rows(results[i] ?? [])) as ResultsOf<Asked>
      } catch (error) {
        throw asAppError(error, quotas)
      }
    },
  }
}
