import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../../test/support/real-postgres.ts'
import { startTokenIssuer } from '../../test/support/token-issuer.ts'
import type { Commands } from '../commands.ts'
import { withClient } from './data.ts'
import { type Cell, playRounds, roundTrips, startTimes } from './rounds.ts'
import { type Server, startServer } from './server.ts'
import { prepareStages, type Stage } from './stages.ts'

export type Plan = {
  /** Sizes of the table, the smallest first. */
  readonly tasks: readonly number[]
  readonly minutes: number
  readonly rounds: number
  readonly seconds: number
}

export type Size = Pick<Stage, 'tasks' | 'fillSeconds' | 'diskBytes' | 'looked'> & {
  readonly readyMs: readonly number[]
  /** Of the API after all the load, where that can be read. */
  readonly residentBytes: number | undefined
}

export type Report = {
  readonly date: string
  readonly machine: string
  readonly versions: readonly string[]
  readonly seconds: number
  readonly sizes: readonly Size[]
  readonly cells: readonly Cell[]
  /** A request, by the name of its operation. */
  readonly roundTrips: Readonly<Record<string, number>>
  /** What is missing, and why. */
  readonly remarks: readonly string[]
}

/** A quarter of the memory, as Postgres' manual recommends, so that the pages in use fit at every size. */
const sharedMegabytes = Math.min(2_048, Math.floor(totalmem() / 4 / 2 ** 20))

/**
 * Fills one database a size, starts a Docket in front of each, and lets them take turns, so that whatever else the
 * machine does meets all sizes alike. Takes everything down again, whatever happens.
 */
export async function measure(commands: Commands, plan: Plan, tell: (step: string) => void): Promise<Report> {
  const began = performance.now()
  const clock = { elapsed: () => (performance.now() - began) / 1000, budget: plan.minutes * 60 }
  const { signal } = commands
  await using opened = new AsyncDisposableStack()
  const cwd = opened.adopt(await mkdtemp(join(tmpdir(), 'docket-growth-')), (made) =>
    rm(made, { recursive: true, force: true }),
  )
  tell('starting Postgres')
  const flags = ['-c', `shared_buffers=${sharedMegabytes}MB`]
  const postgres = opened.adopt(await startPostgres(flags), (started) => started.stop())
  const issuer = opened.use(await startTokenIssuer())
  const { tasks } = plan
  const { stages, remarks } = await prepareStages({ commands, tasks, clock, cwd, postgres, issuer, tell })

  const readyMs = await startTimes(stages, tell)
  const servers = new Map<Stage, Server>()
  for (const stage of stages) servers.set(stage, opened.use(await startServer(stage.place)))
  const cells = await playRounds({ ...plan, stages, servers, clock, signal, tell })
  const sizes = await Promise.all(
    stages.map(async (stage) => ({
      tasks: stage.tasks,
      fillSeconds: stage.fillSeconds,
      diskBytes: stage.diskBytes,
      looked: stage.looked,
      readyMs: readyMs.get(stage) ?? [],
      residentBytes: await servers.get(stage)?.residentBytes(),
    })),
  )

  tell('counting round trips')
  const [smallest] = stages
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB`,
    versions: [
      `Node ${process.version.slice(1)}`,
      `PostgreSQL ${await versionOf(postgres.url)} with ${sharedMegabytes} MB of shared buffers`,
    ],
    seconds: plan.seconds,
    ...{ sizes, cells, remarks },
    roundTrips: smallest === undefined ? {} : await roundTrips(smallest, signal),
  }
}

async function versionOf(url: string): Promise<unknown> {
  const { rows } = await withClient(url, (client) => client.query('show server_version'))
  return rows[0]?.server_version
}
