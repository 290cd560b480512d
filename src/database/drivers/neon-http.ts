import {
  type Batch,
  type BatchLimits,
  batchLimits,
  enter,
  type Results,
  type Settle,
} from '../batch/batch.ts'
import type { Lane } from '../batch/lane.ts'
import { ConnectionLost, saidByNeon, sqlState } from '../failures/failures.ts'
import { protectionQueries } from '../protection/facts.ts'
import { type Compared, refusesComparison } from '../protection/watch.ts'
import type { NeonDriver } from './neon-driver.ts'

/** Returns columns as the text that Postgres sends, the same as over TCP. */
const asText = { getTypeParser: () => (text: string) => text }

/** The driver sends the password in a header. `fetch` would send that header along to the target of a redirect. */
const onlyTo = (signal: AbortSignal) => ({ signal, redirect: 'error' })

type Sql = ReturnType<typeof connect>

function connect({ neon }: Pick<NeonDriver, 'neon'>, url: string) {
  const named = new URL(url)
  if (!named.searchParams.has('application_name')) named.searchParams.set('application_name', 'docket')
  return neon(named.href, { arrayMode: true, fullResults: false })
}

type Options = {
  driver: Pick<NeonDriver, 'neon'>
  url: string
  limits: Partial<BatchLimits>
  /** Longest duration of one request. */
  batchMs: number
  onEnd: (lane: Lane) => void
}

/**
 * Neon's SQL over HTTP: each batch is one request and one transaction. There is no connection to lose, so one lane
 * stands for all connections.
 * After a failure on the way it takes no more batches. The next lane must first answer a query.
 */
export class HttpLane implements Lane {
  readonly #sql: Sql
  readonly #enter: string
  readonly #batchMs: number
  readonly #onEnd: (lane: Lane) => void
  readonly #givenUp = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #ended = false
  inFlight = 0

  private constructor({ driver, url, limits, batchMs, onEnd }: Options) {
    this.#sql = connect(driver, url)
    this.#enter = enter({ ...batchLimits, ...limits })
    this.#batchMs = batchMs
    this.#onEnd = onEnd
  }

  /**
   * Compares rights and policies within `connectMs`. This also checks that a database answers.
   * @throws the error from Postgres, or `ConnectionLost`.
   */
  static async open({
    connectMs,
    compared,
    ...options
  }: Options & { connectMs: number; compared: (compared: Compared) => void }): Promise<HttpLane> {
    const lane = new HttpLane(options)
    compared(await lane.#compare(AbortSignal.timeout(connectMs)))
    return lane
  }

  async #compare(signal: AbortSignal): Promise<Compared> {
    try {
      const [pin, facts] = protectionQueries
      const batch = [this.#sql.query(pin), this.#sql.query(facts, [], { types: asText })]
      const [, rows] = await answered(this.#sql.transaction(batch, { fetchOptions: onlyTo(signal) }))
      return { row: rows?.[0] }
    } catch (error) {
      if (!refusesComparison(error)) throw error
      // A login that may not connect gets the same refusal. In that case this query is refused too.
      await answered(this.#sql.query('select 1', [], { fetchOptions: onlyTo(signal) }))
      return { error }
    }
  }

  /** Each request has its own deadline and keeps nothing open. The lane is therefore never overdue and never idle. */
  get since(): number {
    return performance.now()
  }

  send(batch: Batch, settle: Settle): void {
    this.inFlight++
    const running = this.#run(batch).then(
      (results) => {
        this.inFlight--
        settle(null, results)
      },
      (error: unknown) => {
        this.inFlight--
        if (sqlState(error) === undefined) this.#end()
        settle(error, [])
      },
    )
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  async #run({ owner, questions }: Batch): Promise<Results> {
    const signal = AbortSignal.any([this.#givenUp.signal, AbortSignal.timeout(this.#batchMs)])
    const queries = [
      this.#sql.query(this.#enter, [owner]),
      ...questions.map(({ statement, values }) =>
        this.#sql.query(statement.text, [...values(owner)], { types: asText }),
      ),
    ]
    const [entered, ...results] = await answered(
      this.#sql.transaction(queries, { isolationLevel: 'ReadCommitted', fetchOptions: onlyTo(signal) }),
    )
    if (entered === undefined || results.length !== questions.length)
      throw new ConnectionLost('The answer over HTTP was not that of a batch')
    return results
  }

  async close(): Promise<void> {
    await Promise.all(this.#running)
  }

  destroy(): void {
    this.#end()
    this.#givenUp.abort()
  }

  retire(): void {
    this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd(this)
  }
}

async function answered<T>(request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    throw asFailure(error)
  }
}

/**
 * Converts the error of a request for `failureOf`. An error from Postgres keeps its SQLSTATE, and an error from
 * Neon keeps its message.
 * After any other error, it is unknown whether the transaction took place.
 */
export function asFailure(error: unknown): Error {
  if (sqlState(error) !== undefined && error instanceof Error) return error
  // A digit distinguishes a SQLSTATE from a code of Node with the same length, such as EPIPE.
  if (error instanceof Error && 'code' in error && /^(?=.*\d)[0-9A-Z]{5}$/.test(String(error.code)))
    return Object.assign(error, { severity: 'ERROR' })
  if (error instanceof Error && saidByNeon(error) !== undefined) return error
  const status =
    error instanceof Error ? /^Server error \(HTTP status (\d{3})\)/.exec(error.message)?.[1] : undefined
  const message = status === undefined ? 'No answer over HTTP' : `The answer over HTTP was a ${status}`
  return new ConnectionLost(message, { cause: error })
}
