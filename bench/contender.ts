/** What every measurement is made of, whoever is measured. */

/** Those that write come last, so that whoever reads finds the same data. */
export const operations = ['list20', 'list100', 'get', 'patch', 'create'] as const
export type Operation = (typeof operations)[number]

/** What one contender did in one round. */
export type Sample = {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  /** Processor time, user and system, of the server and its children: neither the load nor the database. */
  readonly cpuSeconds?: number
  /** Of the server and its children, right after the round. */
  readonly residentBytes?: number
}

/**
 * Something that can carry out the operations on the data of `workload.ts`, and stays up for the whole run so that
 * rounds of several can take turns.
 */
export type Contender = AsyncDisposable & {
  readonly name: string
  /** One line on how it was run, for whoever reads the figures. */
  readonly note: () => string
  /** Of somebody else's making: when it fails under load it loses its row instead of ending the run. */
  readonly foreign?: boolean
  /** Before the rounds of an operation: gets everything warm, settles what has to be tried out. Not counted. */
  readonly prepare: (operation: Operation, seconds: number) => Promise<void>
  /** @throws Error when any request failed: figures with failures among them mean nothing. */
  readonly measure: (operation: Operation, seconds: number) => Promise<Sample>
}
