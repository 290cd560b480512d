import { execFile } from 'node:child_process'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { TcpProxy } from '../support/proxy.ts'
import { admin } from '../support/real-postgres.ts'
import type { MortalPostgres } from './mortal-postgres.ts'

/** What a fault is done to: a Postgres of the test's own, and the proxy through which the API under test reaches it. */
export type World = {
  readonly postgres: MortalPostgres
  readonly proxy: TcpProxy
  /** A superuser's session that does not go through the proxy. */
  readonly admin: pg.Client
}

/** Undoes what was done; resolves when the database is itself again. */
export type Heal = () => Promise<unknown>

export type Fault = {
  readonly name: string
  /** Every status that a read, and a write, may be answered with while it lasts. */
  readonly read: readonly number[]
  readonly write: readonly number[]
  inject(world: World): Promise<Heal>
}

/** Once the database is back, requests are served again within this. */
export const recoveryMs = 2_000

/** No request takes longer than this, whatever happens; a second of it is for a busy machine. */
export const requestMs = 11_000

const refused = [503]
const served = [200]
const written = [201]

const own = "application_name = 'docket'"

/** Starting, for as long as one likes: a standby that answers nobody, with no primary to follow. */
const asleep = ['hot_standby=off']

/** Each way in which a database fails its callers, done for real. The table in docs/FAULTS.md has a row for each. */
export const faults: readonly Fault[] = [
  {
    name: 'database down',
    read: refused,
    write: refused,
    inject: async ({ postgres }) => {
      await postgres.stop('fast')
      return () => postgres.start()
    },
  },
  {
    name: 'database starting',
    read: refused,
    write: refused,
    inject: async ({ postgres }) => {
      await postgres.stop('fast')
      await writeFile(join(postgres.dataFolder, 'standby.signal'), '')
      await postgres.start(asleep, /entering standby mode/)
      return () => postgres.promote()
    },
  },
  {
    name: 'database killed and recovering',
    read: refused,
    write: refused,
    inject: async ({ postgres }) => {
      await postgres.signalAll('SIGKILL')
      return () => postgres.start()
    },
  },
  {
    name: 'backends terminated',
    read: served,
    write: [...written, ...refused],
    inject: async ({ admin }) => {
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${own}`)
      return nothing
    },
  },
  {
    name: 'a backend crashed',
    read: [...served, ...refused],
    write: [...written, ...refused],
    inject: async ({ admin, postgres }) => {
      const { rows } = await admin.query(`select pid from pg_stat_activity where ${own} limit 1`)
      process.kill(Number(rows[0]?.pid), 'SIGKILL')
      return () => answers(postgres.url)
    },
  },
  {
    name: 'too many connections',
    read: refused,
    write: refused,
    inject: async ({ admin, postgres }) => {
      const others = [await taken(postgres.url)]
      for (;;) {
        const other = await taken(postgres.url).catch(() => undefined)
        if (other === undefined) break
        others.push(other)
      }
      // Whoever has a place keeps it; the API's place is taken as soon as it is free.
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${own}`)
      for (let tries = 0; tries < 20; tries++)
        await taken(postgres.url).then(
          (other) => others.push(other),
          () => undefined,
        )
      return () => Promise.all(others.map((other) => other.end()))
    },
  },
  {
    name: 'read-only',
    read: served,
    write: refused,
    inject: async ({ admin }) => {
      await setting(admin, 'default_transaction_read_only', 'on')
      return () => setting(admin, 'default_transaction_read_only', 'off')
    },
  },
  {
    name: 'lock wait',
    read: served,
    write: refused,
    inject: async ({ admin }) => {
      await admin.query('begin')
      await admin.query('lock table docket.tasks in exclusive mode')
      return () => admin.query('rollback')
    },
  },
  {
    name: 'frozen backends',
    read: served,
    write: refused,
    inject: async ({ admin }) => {
      const { rows } = await admin.query(`select pid from pg_stat_activity where ${own}`)
      for (const { pid } of rows) process.kill(Number(pid), 'SIGSTOP')
      return async () => {
        for (const { pid } of rows) process.kill(Number(pid), 'SIGCONT')
      }
    },
  },
  {
    name: 'frozen server',
    read: refused,
    write: refused,
    inject: async ({ postgres }) => {
      await postgres.signalAll('SIGSTOP')
      return () => postgres.signalAll('SIGCONT')
    },
  },
  {
    name: 'network silent',
    read: served,
    write: refused,
    inject: async ({ proxy }) => {
      proxy.hang()
      return () => proxy.resume()
    },
  },
  {
    name: 'connections reset',
    read: refused,
    write: refused,
    inject: async ({ proxy }) => {
      proxy.turnAway()
      return () => proxy.resume()
    },
  },
  {
    name: 'connection refused',
    read: refused,
    write: refused,
    inject: async ({ proxy }) => {
      await proxy.refuse()
      return () => proxy.resume()
    },
  },
  {
    name: 'latency of 200 ms each way',
    read: served,
    write: written,
    inject: async ({ proxy }) => {
      proxy.delay(200)
      return async () => proxy.delay(0)
    },
  },
]

const nothing = async () => undefined

async function setting(client: pg.Client, name: string, value: string): Promise<void> {
  await client.query(`alter system set ${name} = ${value}`)
  await client.query('select pg_reload_conf()')
  // Every process reads the new value when it next looks; a fresh session has it when the postmaster has.
  for (;;) {
    const { rows } = await client.query(`show ${name}`)
    if (rows[0]?.[name] === value) return
  }
}

async function taken(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Resolves once the server takes connections. */
export async function answers(url: string): Promise<void> {
  for (;;)
    try {
      await admin(url, 'select 1')
      return
    } catch {
      // Not yet.
    }
}

const run = promisify(execFile)

/** A file system of its own, small enough to fill; undefined where this user may not mount one. */
export async function mountSmall(megabytes: number) {
  const folder = await mkdtemp(join(tmpdir(), 'docket-small-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=777`, 'tmpfs', folder])
  } catch {
    await remove()
    return undefined
  }
  return {
    folder,
    /** Takes all the room there is left; what it returns gives it back. */
    fill: async () => {
      const ballast = join(folder, 'ballast')
      const { bavail, bsize } = await statfs(folder)
      await writeFile(ballast, Buffer.alloc(bavail * bsize))
      return () => rm(ballast)
    },
    unmount: async () => {
      await run('umount', [folder])
      await remove()
    },
  }
}
