import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { startPostgres, withDatabase } from '../test/support/real-postgres.ts'
import { startTokenIssuer, type TokenIssuer } from '../test/support/token-issuer.ts'
import type { Commands } from './commands.ts'
import type { Contender, Operation } from './contender.ts'
import { type DocketOptions, migrate, openDocket } from './docket.ts'
import { findPgbench, openPgbench } from './pgbench.ts'
import type { Report } from './report.ts'
import { figuresOf, playRounds } from './rounds.ts'
import { data, fill, ownerName, withClient } from './workload.ts'
import { requireWrk } from './wrk.ts'

export type Plan = {
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
  readonly databaseConnections: readonly number[]
  readonly operations: readonly Operation[]
  readonly pgbench: boolean
  readonly against: string | undefined
  readonly profileFolder: string | undefined
}

type Tell = (step: string) => void

const root = join(import.meta.dirname, '..')
const warmUpSeconds = 2
const tokenSeconds = 86_400

/** Sets everything up, lets the contenders take turns, and takes everything down again, whatever happens. */
export async function measure(commands: Commands, plan: Plan, tell: Tell): Promise<Report> {
  const wrk = await requireWrk(commands)
  const pgbench = plan.pgbench ? await findPgbench(commands) : undefined
  await using opened = new AsyncDisposableStack()

  tell('starting Postgres and filling it')
  const folder = opened.adopt(await mkdtemp(join(tmpdir(), 'docket-bench-')), (made) =>
    rm(made, { recursive: true, force: true }),
  )
  const server = opened.adopt(await startPostgres(), (started) => started.stop())
  const issuer = opened.use(await startTokenIssuer())
  const tokenFile = join(folder, 'tokens')
  await writeFile(tokenFile, await tokensOf(issuer))

  const databaseUrl = withDatabase(server.url, 'bench')
  await withClient(server.url, (client) => client.query('create database bench'))
  const dockets = docketsOf(plan).map((docket) => ({
    ...docket,
    ...{ cwd: folder, databaseUrl, issuer, tokenFile, connections: plan.connections },
    nodeFlags: plan.profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profileFolder}`],
  }))
  for (const docket of dockets) await migrate(commands, docket)
  await fill(databaseUrl)

  const contenders: Contender[] = []
  if (pgbench !== undefined) contenders.push(opened.use(await openPgbench(commands, databaseUrl)))
  for (const docket of dockets) contenders.push(opened.use(await openDocket(commands, docket)))

  const results = await playRounds({ ...plan, contenders, warmUpSeconds, tell })
  const versions = [`Node ${process.version.slice(1)}`, `PostgreSQL ${await versionOf(databaseUrl)}`, wrk]
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
    remarks: pgbench === undefined ? ['Without pgbench: it was not found, or not asked for.'] : [],
    figures: Object.fromEntries([...results].map(([operation, series]) => [operation, figuresOf(series)])),
  }
}

/** One for each number of connections to the database, the other checkout with the first of those in front. */
function docketsOf(plan: Plan): (Pick<DocketOptions, 'name' | 'root'> & { databaseConnections: number })[] {
  const several = plan.databaseConnections.length > 1
  const ours = plan.databaseConnections.map((databaseConnections) => ({
    name: several ? `docket, ${databaseConnections} connections` : 'docket',
    root,
    databaseConnections,
  }))
  const [databaseConnections = 1] = plan.databaseConnections
  return plan.against === undefined
    ? ours
    : [{ name: 'docket, the other checkout', root: plan.against, databaseConnections }, ...ours]
}

async function tokensOf(issuer: TokenIssuer): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + tokenSeconds
  const callers = Array.from({ length: data.callers }, (_, owner) => ownerName(owner))
  const tokens = await Promise.all(callers.map((sub) => issuer.token({ sub, exp })))
  return `${tokens.join('\n')}\n`
}

async function versionOf(url: string): Promise<unknown> {
  const { rows } = await withClient(url, (client) => client.query('show server_version'))
  return rows[0]?.server_version
}

function machine(): string {
  const [first] = cpus()
  return `${cpus().length} × ${first?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB`
}
