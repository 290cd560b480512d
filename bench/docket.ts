import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../test/support/real-postgres.ts'
import type { TokenIssuer } from '../test/support/token-issuer.ts'
import type { Commands } from './commands.ts'
import type { Contender } from './contender.ts'
import { usageOf } from './process-usage.ts'
import { httpRequests } from './workload.ts'
import { underLoad } from './wrk.ts'

export type Installation = {
  /** The checkout whose source is run. */
  readonly root: string
  /** Where it runs: a folder without a `.env`. */
  readonly cwd: string
  readonly databaseUrl: string
  readonly databaseConnections: number
  readonly issuer: Pick<TokenIssuer, 'url' | 'issuer' | 'audience'>
}

export type DocketOptions = Installation & {
  readonly name: string
  readonly tokenFile: string
  readonly connections: number
  /** For the runtime, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[]
}

/** Brings the database up to date, as in production. */
export async function migrate(commands: Commands, installation: Installation): Promise<void> {
  const { cwd } = installation
  await commands.run(process.execPath, [cliOf(installation), 'migrate'], { cwd, env: settings(installation) })
}

const cliOf = ({ root }: Installation) => join(root, 'src', 'cli.ts')

const startTimeoutMs = 20_000

/**
 * Docket as its users run it: a process of its own in production mode that checks tokens, validates, and logs every
 * request at `info`. Rate limits are on and too high to be reached.
 *
 * @throws Error with what it said when it does not start.
 */
export async function openDocket(commands: Commands, options: DocketOptions): Promise<Contender> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const nowhere = openSync(devNull, 'w')
  const server = spawn(process.execPath, [...(options.nodeFlags ?? []), cliOf(options), 'start'], {
    cwd: options.cwd,
    stdio: ['ignore', nowhere, 'pipe'],
    env: { ...settings(options), HOST: '127.0.0.1', PORT: String(port) },
  })
  closeSync(nowhere)
  const ended = once(server, 'exit')
  const said: string[] = []
  server.stderr?.on('data', (chunk: Buffer) => said.push(String(chunk)))
  const close = async () => {
    server.kill('SIGTERM')
    await ended
  }
  try {
    await ready(origin, server)
  } catch (error) {
    await close()
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`docket start (${options.name}) failed: ${reason}\n${said.join('')}`, { cause: error })
  }

  const load = (operation: keyof typeof httpRequests, seconds: number) =>
    underLoad(commands, { ...options, origin, request: httpRequests[operation], seconds })
  return {
    name: options.name,
    note: () =>
      `${options.connections} HTTP connections, DATABASE_CONNECTIONS=${options.databaseConnections}, one process`,
    prepare: async (operation, seconds) => {
      await load(operation, seconds)
    },
    measure: async (operation, seconds) => {
      const before = await usageOf(server.pid ?? 0)
      const sample = await load(operation, seconds)
      const after = await usageOf(server.pid ?? 0)
      if (before === undefined || after === undefined) return sample
      return {
        ...sample,
        cpuSeconds: after.cpuSeconds - before.cpuSeconds,
        residentBytes: after.residentBytes,
      }
    },
    [Symbol.asyncDispose]: close,
  }
}

/** Nothing of the caller's environment: what is measured depends on what is written here. */
function settings({ databaseUrl, databaseConnections, issuer }: Installation): Record<string, string> {
  return {
    NODE_ENV: 'production',
    LOG_LEVEL: 'info',
    DATABASE_URL: databaseUrl,
    DATABASE_CONNECTIONS: String(databaseConnections),
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    RATE_LIMIT: '999999999',
    RATE_LIMIT_ADDRESS: '999999999',
  }
}

async function ready(origin: string, server: ChildProcess): Promise<void> {
  const deadline = performance.now() + startTimeoutMs
  while (performance.now() < deadline) {
    if (server.exitCode !== null) throw new Error(`it ended with code ${server.exitCode}`)
    const status = await fetch(`${origin}/readyz`).then(
      (answer) => answer.status,
      () => undefined,
    )
    if (status === 200) return
    await wait(50)
  }
  throw new Error(`it was not ready after ${startTimeoutMs / 1000} s`)
}
