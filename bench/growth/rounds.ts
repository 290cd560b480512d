import { Agent } from 'node:http'
import { startProxy } from '../../test/support/proxy.ts'
import { ask, type Latency, underLoad } from './load.ts'
import { type Operation, operations } from './operations.ts'
import { type Server, startServer } from './server.ts'
import { type Clock, callersFor, type Stage } from './stages.ts'

/** What so many clients saw of one operation on one size of the table. */
export type Cell = {
  readonly tasks: number
  readonly operation: string
  readonly clients: number
  /** One a round, in order. */
  readonly rounds: readonly Latency[]
}

export type Rounds = {
  readonly stages: readonly Stage[]
  readonly servers: ReadonlyMap<Stage, Server>
  readonly rounds: number
  readonly seconds: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly tell: (step: string) => void
}

const clientCounts = [1, 8]

/**
 * Lets the sizes take turns, in opposite order in every second round. Every operation has the same share of the time
 * that is left, and at least one round.
 */
export async function playRounds(plan: Rounds): Promise<Cell[]> {
  const { stages, clock } = plan
  const cells: Cell[] = []
  const from = clock.elapsed()
  const share = Math.max(0, clock.budget - from) / operations.length
  for (const [i, operation] of operations.entries()) {
    plan.tell(`${operation.name}: warming up`)
    for (const stage of stages) await playOne(plan, { operation, stage, clients: Math.max(...clientCounts) })
    const played = clientCounts.flatMap((clients) =>
      stages.map((stage) => ({ stage, clients, rounds: [] as Latency[] })),
    )
    for (let round = 1; round <= plan.rounds; round++) {
      if (round > 1 && clock.elapsed() > from + share * (i + 1)) break
      plan.tell(`${operation.name}: round ${round} of ${plan.rounds}`)
      for (const { stage, clients, rounds } of round % 2 === 1 ? played : played.toReversed())
        rounds.push(await playOne(plan, { operation, stage, clients }))
    }
    for (const { stage, clients, rounds } of played)
      cells.push({ tasks: stage.tasks, operation: operation.name, clients, rounds })
  }
  return cells
}

function playOne(
  { servers, seconds, signal }: Rounds,
  { operation, stage, clients }: { operation: Operation; stage: Stage; clients: number },
): Promise<Latency> {
  const port = servers.get(stage)?.port ?? 0
  const callers = callersFor(operation, stage)
  return underLoad({ port, operation, callers, clients, seconds, signal })
}

const starts = 5

/** How long it takes from the start of the process to the first 200 of `/readyz`, in milliseconds, several times. */
export async function startTimes(
  stages: readonly Stage[],
  tell: (step: string) => void,
): Promise<Map<Stage, number[]>> {
  const times = new Map(stages.map((stage) => [stage, [] as number[]]))
  for (let start = 1; start <= starts; start++) {
    tell(`start ${start} of ${starts}`)
    for (const stage of stages) {
      await using server = await startServer(stage.place)
      times.get(stage)?.push(server.readyMs)
    }
  }
  return times
}

const asked = 10
/** So long that two answers are never taken for one, and short enough not to be noticed. */
const wayMs = 3

/** How often one request of each operation waits for the database, counted on the wire. */
export async function roundTrips(stage: Stage, signal: AbortSignal): Promise<Record<string, number>> {
  const proxy = await startProxy(stage.url)
  proxy.delay(wayMs)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const place = { ...stage.place, databaseUrl: proxy.url, databaseConnections: 1 }
    await using server = await startServer(place)
    const counted: Record<string, number> = {}
    for (const operation of operations) {
      const before = proxy.flights()
      for (const caller of callersFor(operation, stage).slice(0, 1))
        for (let i = 0; i < asked; i++) await ask({ port: server.port, operation, signal, caller, agent })
      counted[operation.name] = (proxy.flights() - before) / asked
    }
    return counted
  } finally {
    agent.destroy()
    await proxy.close()
  }
}
