import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../../test/support/real-postgres.ts'
import type { Command } from '../http-api.ts'
import { migrateRequestsNow, migratingRequests } from './kernel-setting.ts'
import { outcomes, startLoad } from './load.ts'
import { reads, type Stage, type Table } from './stage.ts'

const clients = 16
/** Both serve for so long. */
const overlapMs = 100

type Options = { readonly handOvers: number; readonly migrateRequests: boolean }
type Way = { readonly who: string; readonly replace: typeof byReload; readonly migrate?: boolean }

/** New processes take over from old ones under load from clients that send nothing twice. */
export async function handOver(stage: Stage, { handOvers, migrateRequests }: Options): Promise<Table> {
  const another = (migrating: string) => `another process, REUSE_PORT=true, tcp_migrate_req=${migrating}`
  const now = migratingRequests()
  const ways: Way[] = [
    { who: another(now), replace: byAnother },
    ...(migrateRequests && now !== '1' ? [{ who: another('1'), replace: byAnother, migrate: true }] : []),
    { who: '--workers 2, SIGHUP', replace: byReload },
  ]
  const rows: Record<string, string>[] = []
  for (const { who, replace, migrate } of ways) {
    using _setting = migrate ? migrateRequestsNow() : undefined
    for (const fresh of [false, true]) {
      const how = fresh ? 'a new connection for each request' : 'kept connections'
      stage.tell(`${handOvers} hand-overs to ${who}, ${how}`)
      const port = await freePort()
      const requests = reads(stage.tokens, fresh)
      const load = () => startLoad({ port, requests, connections: clients, fresh }, stage.commands.signal)
      const report = await replace(stage, { port, handOvers, load })
      rows.push({ 'taken over by': who, clients: how, answers: outcomes(report) })
    }
  }
  return { title: `Hand-over: ${handOvers} times, ${clients} clients`, rows }
}

type HandOver = { port: number; handOvers: number; load: () => ReturnType<typeof startLoad> }

async function byAnother({ command }: Stage, { port, handOvers, load }: HandOver) {
  await using opened = new AsyncDisposableStack()
  const begin = async () => {
    const one = opened.use(run(command({ port, settings: { REUSE_PORT: 'true' } })))
    await one.says('"event":"start"')
    return one
  }
  let serving = await begin()
  const running = load()
  for (let i = 0; i < handOvers; i++) {
    const next = await begin()
    await wait(overlapMs)
    await serving[Symbol.asyncDispose]()
    serving = next
  }
  running.stop()
  return await running.report
}

async function byReload({ command }: Stage, { port, handOvers, load }: HandOver) {
  await using group = run(command({ port, parameters: ['--workers', '2'] }))
  await group.says('"event":"start"')
  const running = load()
  for (let i = 0; i < handOvers; i++) {
    await wait(overlapMs)
    const reloaded = group.says('"event":"reload"')
    group.kill('SIGHUP')
    await reloaded
  }
  running.stop()
  return await running.report
}

/** A process whose log is listened to and not kept. */
function run({ program, parameters, cwd, env }: Command) {
  const child = spawn(program, parameters, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const lines = createInterface(child.stdout)
  return {
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    says: (what: string) =>
      new Promise<void>((resolve, reject) => {
        const look = (line: string) => {
          if (!line.includes(what)) return
          lines.off('line', look)
          resolve()
        }
        lines.on('line', look)
        void ended.then(() => reject(new Error(`it ended before it said ${what}`)))
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
