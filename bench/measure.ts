import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../test/support/real-postgres.ts'
import type { Commands } from './commands.ts'
import type { Contender, Operation } from './contender.ts'
import { docketApi, type Installation } from './docket.ts'
import type { HttpApi } from './http-api.ts'
import { type Arena, openHttpContender } from './http-contender.ts'
import { installed, peers } from './peers.ts'
import { findPgbench, openPgbench } from './pgbench.ts'
import { machine, prepareSite } from './prepare-site.ts'
import type { Report } from './report.ts'
import { figuresOf, playRounds } from './rounds.ts'
import type { Site } from './site.ts'
import { data, withClient } from './workload.ts'
import { requireWrk } from './wrk.ts'

export type Plan = {
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
  readonly databaseConnections: readonly number[]
  readonly operations: readonly Operation[]
  readonly pgbench: boolean
  /** Names of peers. */
  readonly peers: readonly string[]
  readonly against: string | undefined
  readonly profileFolder: string | undefined
}

type Tell = (step: string) => void

const root = join(import.meta.dirname, '..')
const warmUpSeconds = 2

/** Owners from here on are for the checks of correctness; the load never speaks for them. */
const firstChecked = 900

/** Sets everything up, lets the contenders take turns, and takes everything down again, whatever happens. */
export async function measure(commands: Commands, plan: Plan, tell: Tell): Promise<Report> {
  const wrk = await requireWrk(commands)
  const pgbench = plan.pgbench ? await findPgbench(commands) : undefined
  const remarks = pgbench === undefined ? ['Without pgbench: it was not found, or not asked for.'] : []
  const folders = new Map<string, string>()
  for (const peer of peers.filter(({ name }) => plan.peers.includes(name))) {
    const found = await installed(commands, peer, tell)
    if ('folder' in found) folders.set(peer.name, found.folder)
    else remarks.push(`Without ${peer.name}: ${found.missing}`)
  }

  await using opened = new AsyncDisposableStack()
  tell('starting Postgres and filling it')
  const [databaseConnections = 1] = plan.databaseConnections
  const shared = await prepareSite(commands, opened, { connections: plan.connections, databaseConnections })
  let places = 0
  const open = async (apiAt: (site: Site) => Promise<HttpApi>) => {
    const port = await freePort()
    const folder = join(shared.folder, String(port))
    await mkdir(folder)
    const site = { ...shared, port, folder }
    const owner = firstChecked + 2 * places++
    const arena: Arena = { port, folder, connections: plan.connections, checked: [owner, owner + 1] }
    return opened.use(await openHttpContender(commands, await apiAt(site), arena))
  }

  const contenders: Contender[] = []
  if (pgbench !== undefined) contenders.push(opened.use(await openPgbench(commands, shared.databaseUrl)))
  for (const docket of docketsOf(plan)) {
    tell(`starting ${docket.name}`)
    contenders.push(await open(async (site) => docketApi({ ...site, ...docket })))
  }
  for (const peer of peers)
    for (const form of peer.forms) {
      const folder = folders.get(peer.name)
      if (folder === undefined) continue
      tell(`starting ${peer.name}`)
      try {
        contenders.push({ ...(await open((site) => form(site, folder))), foreign: true })
      } catch (error) {
        commands.signal.throwIfAborted()
        remarks.push(`Without a form of ${peer.name}: ${error instanceof Error ? error.message : error}`)
      }
    }

  const played = await playRounds({ ...plan, contenders, warmUpSeconds, tell, signal: commands.signal })
  const versions = [
    `Node ${process.version.slice(1)}`,
    `PostgreSQL ${await versionOf(shared.databaseUrl)}`,
    wrk,
  ]
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: pgbench === undefined ? versions : [...versions, pgbench],
    settings: {
      owners: data.owners,
      'tasks each': data.tasksEach,
      callers: data.callers,
      'HTTP connections': plan.connections,
      rounds: plan.rounds,
      'seconds each': plan.seconds,
    },
    notes: Object.fromEntries(contenders.map((contender) => [contender.name, contender.note()])),
    remarks: [...remarks, ...played.remarks],
    figures: Object.fromEntries(
      [...played.results].map(([operation, series]) => [operation, figuresOf(series)]),
    ),
  }
}

/** One for each number of connections to the database, the other checkout with the first of those in front. */
function docketsOf(plan: Plan): Pick<Installation, 'name' | 'root' | 'databaseConnections' | 'nodeFlags'>[] {
  const several = plan.databaseConnections.length > 1
  const nodeFlags =
    plan.profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profileFolder}`]
  const ours = plan.databaseConnections.map((databaseConnections) => ({
    name: several ? `docket, ${databaseConnections} connections` : 'docket',
    ...{ root, databaseConnections, nodeFlags },
  }))
  const [databaseConnections = 1] = plan.databaseConnections
  return plan.against === undefined
    ? ours
    : [{ name: 'docket, the other checkout', root: plan.against, databaseConnections, nodeFlags }, ...ours]
}

async function versionOf(url: string): Promise<unknown> {
  const { rows } = await withClient(url, (client) => client.query('show server_version'))
  return rows[0]?.server_version
}
