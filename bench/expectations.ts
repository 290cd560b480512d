import type { Operation } from './contender.ts'
import type { Figures, Spread } from './rounds.ts'

/** What was promised, and what came of it. It is reported, never asserted. */
export type Outcome = {
  readonly operation: string
  readonly promise: string
  readonly expected: string
  readonly measured: string
  readonly met: boolean
}

type Promised = {
  readonly promise: string
  /** The rows it is held against, by the start of their names; the best of them counts. */
  readonly peer: string
  readonly operations: Partial<Record<Operation, number>>
  readonly unit: 'share' | 'times'
} & (
  | { readonly figure: 'requestsPerSecond'; readonly atLeast: true }
  | { readonly figure: 'cpuUsPerRequest'; readonly atLeast: false }
)

const rate = { figure: 'requestsPerSecond', atLeast: true } as const
const everywhere = (limit: number) => ({
  ...{ list20: limit, list100: limit, get: limit, patch: limit, create: limit },
})

/** On two cores. Lists are of 20 unless it says otherwise. */
const promises: readonly Promised[] = [
  {
    promise: 'of pgbench',
    peer: 'pgbench',
    operations: { list20: 0.45, get: 0.55, create: 0.65 },
    unit: 'share',
    ...rate,
  },
  {
    promise: 'the faster FastAPI + SQLModel',
    peer: 'FastAPI',
    operations: { list20: 13, get: 30, create: 13 },
    unit: 'times',
    ...rate,
  },
  {
    promise: 'Hono + Drizzle + jose',
    peer: 'Hono + Drizzle',
    operations: { list20: 5, get: 10, create: 3.5 },
    unit: 'times',
    ...rate,
  },
  { promise: 'PocketBase', peer: 'PocketBase', operations: everywhere(1), unit: 'times', ...rate },
  {
    promise: 'CPU of bare node:http',
    peer: 'bare node:http',
    operations: everywhere(1.5),
    unit: 'times',
    figure: 'cpuUsPerRequest',
    atLeast: false,
  },
]

/**
 * Every promise whose two sides were measured. Compared are medians over the rounds, with pgbench that of the shares; FastAPI on several workers is
 * left out, because everybody else has one process.
 */
export function outcomes(figures: Readonly<Record<string, readonly Figures[]>>): Outcome[] {
  return promises.flatMap((promised) =>
    Object.entries(promised.operations).flatMap(([operation, limit]) => {
      const rows = figures[operation] ?? []
      const value = (row: Figures) => medianOf(row[promised.figure])
      const ours = rows.find(({ contender }) => contender === 'docket')
      const peers = rows
        .filter(({ contender }) => contender.startsWith(promised.peer) && !contender.includes('2 workers'))
        .flatMap((row) => value(row) ?? [])
      const own = ours && value(ours)
      if (ours === undefined || own === undefined || peers.length === 0) return []
      const ratio = own / (promised.atLeast ? Math.max(...peers) : Math.min(...peers))
      // Shares are taken round by round, as in the table above.
      const measured = promised.unit === 'share' ? (medianOf(ours.shareOfFirst) ?? ratio) : ratio
      return {
        operation,
        promise: promised.promise,
        expected: `${promised.atLeast ? '≥' : '≤'} ${told(limit, promised.unit)}`,
        measured: told(measured, promised.unit),
        met: promised.atLeast ? measured >= limit : measured <= limit,
      }
    }),
  )
}

const medianOf = (spread: Spread | undefined) => spread?.median

function told(value: number, unit: 'share' | 'times'): string {
  return unit === 'share' ? `${Math.round(value * 100)} %` : `${Number(value.toFixed(value < 10 ? 2 : 1))} ×`
}
