import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './real-postgres.ts'

export type PgBouncer = {
  /** The URL given, by way of the pooler. */
  readonly url: string
  /** What it logged so far. */
  readonly logged: () => string
  stop(): Promise<void>
}

const places = ['/usr/sbin/pgbouncer', '/usr/local/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer']

/**
 * A real PgBouncer in transaction mode in front of a database, which it logs in to as the URL says, with `poolSize`
 * connections to share between all its clients.
 * @throws Error, saying how to install it, when it is not there.
 */
export async function startPgBouncer(databaseUrl: string, poolSize: number): Promise<PgBouncer> {
  const program = places.find((place) => existsSync(place))
  if (program === undefined)
    throw new Error('PgBouncer is not installed, and this test is about it: apt-get install pgbouncer')
  const target = new URL(databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'docket-pgbouncer-'))
  const port = await freePort()
  const password = decodeURIComponent(target.password)
  const user = decodeURIComponent(target.username)
  const settings = join(folder, 'pgbouncer.ini')
  await writeFile(
    settings,
    `[databases]
* = host=${target.hostname} port=${target.port} user=${user} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 200
`,
  )
  await writeFile(join(folder, 'users.txt'), `"${user}" "${password}"\n`)
  await chmod(folder, 0o755)
  // It refuses to be root, and then becomes the user that the Postgres of the tests runs as.
  const asUser = process.getuid?.() === 0 ? ['-u', 'postgres'] : []
  const child = spawn(program, [...asUser, settings], { stdio: ['ignore', 'ignore', 'pipe'] })
  const log: string[] = []
  child.stderr.on('data', (line) => log.push(String(line)))
  await listens(port, child, log)
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href,
    logged: () => log.join(''),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function listens(port: number, child: ChildProcess, log: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break
    const probe = connect(port, '127.0.0.1')
    const there = await Promise.race([
      once(probe, 'connect').then(() => true),
      once(probe, 'error').then(() => false),
    ]).catch(() => false)
    probe.destroy()
    if (there) return
    await delay(25)
  }
  throw new Error(`PgBouncer did not start:\n${log.join('')}`)
}
