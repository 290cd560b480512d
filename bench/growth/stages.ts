import { statfs } from 'node:fs/promises'
import { withDatabase } from '../../test/support/real-postgres.ts'
import type { TokenIssuer } from '../../test/support/token-issuer.ts'
import type { Commands } from '../commands.ts'
import { type Caller, callersOf, fill, withClient } from './data.ts'
import { type Operation, operations } from './operations.ts'
import { type Looked, lookedAt } from './plans.ts'
import { migrate, type Place } from './server.ts'

export type Speaker = Caller & { readonly token: string }

/** A database of one size, as it was before anybody called, and where a Docket in front of it runs. */
export type Stage = {
  readonly tasks: number
  readonly url: string
  readonly place: Place
  readonly small: readonly Speaker[]
  readonly large: Speaker
  readonly fillSeconds: number
  /** Of tables and indexes. */
  readonly diskBytes: number
  readonly looked: Readonly<Record<string, Looked>>
}

export function callersFor({ of }: Operation, { small, large }: Stage): readonly Speaker[] {
  return of === 'small' ? small : [large]
}

/** In seconds, from when it was made. */
export type Clock = { readonly elapsed: () => number; readonly budget: number }

type Site = {
  readonly commands: Commands
  readonly tasks: readonly number[]
  readonly clock: Clock
  readonly cwd: string
  readonly postgres: { readonly url: string; readonly folder: string }
  readonly issuer: TokenIssuer
  readonly tell: (step: string) => void
}

/** Rows, indexes, the log that goes ahead of them, and as much again to sort by. */
const diskBytesPerTask = 1_500
/** The largest share of the time that goes into filling one table. */
const fillShare = 0.4

/** Fills one database a size, the smallest first. What would not fit into disk or time is left out, with a remark. */
export async function prepareStages(site: Site): Promise<{ stages: Stage[]; remarks: string[] }> {
  const stages: Stage[] = []
  const remarks: string[] = []
  for (const tasks of site.tasks) {
    const missing = await reasonAgainst(tasks, site, stages.at(-1))
    if (missing === undefined) {
      site.tell(`filling ${count(tasks)} tasks`)
      stages.push(await prepareStage(tasks, site))
    } else {
      const remark = `Without ${count(tasks)} tasks: ${missing}`
      site.tell(remark)
      remarks.push(remark)
    }
  }
  return { stages, remarks }
}

async function prepareStage(tasks: number, { commands, cwd, postgres, issuer }: Site): Promise<Stage> {
  const url = withDatabase(postgres.url, `tasks_${tasks}`)
  await withClient(postgres.url, (client) => client.query(`create database tasks_${tasks}`))
  const place = { cwd, databaseUrl: url, issuer }
  await migrate(commands, place)
  const began = performance.now()
  await fill(url, tasks, commands.signal)
  const fillSeconds = (performance.now() - began) / 1000

  const exp = Math.floor(Date.now() / 1000) + tokenSeconds
  const speaking = async (caller: Caller) => ({
    ...caller,
    token: await issuer.token({ sub: caller.owner, exp }),
  })
  const { small, large } = callersOf(tasks)
  const speakers = { small: await Promise.all(small.map(speaking)), large: await speaking(large) }
  return withClient(url, async (client) => {
    const looked: Record<string, Looked> = {}
    for (const operation of operations) {
      const callers = operation.of === 'small' ? speakers.small : [speakers.large]
      looked[operation.name] = await lookedAt(client, operation, callers)
    }
    const { rows } = await client.query<{ bytes: string }>(
      "select pg_total_relation_size('docket.tasks') as bytes",
    )
    const diskBytes = Number(rows[0]?.bytes)
    return { tasks, url, place, ...speakers, fillSeconds, diskBytes, looked }
  })
}

const tokenSeconds = 86_400

async function reasonAgainst(tasks: number, { postgres, clock }: Site, last: Stage | undefined) {
  const { bavail, bsize } = await statfs(postgres.folder)
  const [free, needed] = [bavail * bsize, tasks * diskBytesPerTask]
  if (needed > free) return `they may need ${gigabytes(needed)} of disk, and ${gigabytes(free)} are free.`
  const expected = last === undefined ? 0 : (last.fillSeconds * tasks) / last.tasks
  const late = clock.elapsed() + expected > clock.budget || expected > clock.budget * fillShare
  return late ? `filling would take about ${Math.ceil(expected)} s; give it more --minutes.` : undefined
}

const count = (tasks: number) => tasks.toLocaleString('en')
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
