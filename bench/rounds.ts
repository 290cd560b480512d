import type { Contender, Operation, Sample } from './contender.ts'

export type Rounds = {
  readonly operations: readonly Operation[]
  readonly contenders: readonly Contender[]
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly tell: (step: string) => void
  /** When it is aborted whoever fails does so because of it. */
  readonly signal?: AbortSignal
}

/** The samples of a contender, one a round, in order. */
export type Series = { readonly contender: string; readonly samples: readonly Sample[] }

export type Played = {
  readonly results: ReadonlyMap<Operation, readonly Series[]>
  /** Who lost a row, where and why. */
  readonly remarks: readonly string[]
}

/**
 * Lets the contenders take turns: one after the other in each round, in opposite order in every second one, so
 * that whatever else the machine does meets all of them alike. Operations that write come last in `operations`.
 *
 * @throws what a contender throws, unless it is a foreign one: that loses its row of this operation.
 */
export async function playRounds(plan: Rounds): Promise<Played> {
  const results = new Map<Operation, readonly Series[]>()
  const remarks: string[] = []
  for (const operation of plan.operations) {
    const samples = new Map(plan.contenders.map((contender) => [contender, [] as Sample[]]))
    const turn = async (contender: Contender, step: string, take: () => Promise<void>) => {
      if (!samples.has(contender)) return
      plan.tell(`${operation}: ${step}, ${contender.name}`)
      try {
        await take()
      } catch (error) {
        if (contender.foreign !== true || plan.signal?.aborted) throw error
        samples.delete(contender)
        const reason = error instanceof Error ? error.message : String(error)
        remarks.push(`Without ${operation} of ${contender.name}: ${reason}`)
      }
    }
    for (const contender of plan.contenders)
      await turn(contender, 'warming up', () => contender.prepare(operation, plan.warmUpSeconds))
    for (let round = 1; round <= plan.rounds; round++) {
      const turns = round % 2 === 1 ? plan.contenders : plan.contenders.toReversed()
      for (const contender of turns)
        await turn(contender, `round ${round} of ${plan.rounds}`, async () => {
          samples.get(contender)?.push(await contender.measure(operation, plan.seconds))
        })
    }
    results.set(
      operation,
      [...samples].map(([{ name: contender }, samples]) => ({ contender, samples })),
    )
  }
  return { results, remarks }
}

/** Median, and the least and the greatest that were seen. */
export type Spread = { readonly median: number; readonly least: number; readonly most: number }

/** Undefined when there is nothing to tell, or something is missing. */
export function spreadOf(values: readonly (number | undefined)[]): Spread | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined || sorted.length < values.length) return undefined
  const upper = sorted[sorted.length >> 1] ?? most
  const lower = sorted[(sorted.length - 1) >> 1] ?? least
  return { median: (lower + upper) / 2, least, most }
}

export type Figures = {
  readonly contender: string
  readonly requestsPerSecond?: Spread | undefined
  /** Of this contender to the first one in the same round, so that what slows both cancels out. */
  readonly shareOfFirst?: Spread | undefined
  readonly p50Ms?: Spread | undefined
  readonly p99Ms?: Spread | undefined
  readonly cpuUsPerRequest?: Spread | undefined
  readonly residentMb?: Spread | undefined
  /** What all of it was made of. */
  readonly samples: readonly Sample[]
}

const rate = ({ requests, seconds }: Sample) => requests / seconds

export function figuresOf(series: readonly Series[]): Figures[] {
  const first = series[0]?.samples ?? []
  return series.map(({ contender, samples }) => ({
    contender,
    requestsPerSecond: spreadOf(samples.map(rate)),
    shareOfFirst: spreadOf(
      samples.map((sample, round) => {
        const reference = first[round]
        return reference && rate(sample) / rate(reference)
      }),
    ),
    p50Ms: spreadOf(samples.map(({ p50Ms }) => p50Ms)),
    p99Ms: spreadOf(samples.map(({ p99Ms }) => p99Ms)),
    cpuUsPerRequest: spreadOf(
      samples.map(({ cpuSeconds, requests }) => cpuSeconds && (cpuSeconds * 1e6) / requests),
    ),
    residentMb: spreadOf(samples.map(({ residentBytes }) => residentBytes && residentBytes / 1e6)),
    samples,
  }))
}
