import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../../test/support/real-postgres.ts'
import type { TokenIssuer } from '../../test/support/token-issuer.ts'
import type { Commands } from '../commands.ts'

export type Place = {
  /** Where it runs: a folder without a `.env`. */
  readonly cwd: string
  readonly databaseUrl: string
  readonly issuer: Pick<TokenIssuer, 'url' | 'issuer' | 'audience'>
  /** The product's default unless given. */
  readonly databaseConnections?: number
}

export type Server = AsyncDisposable & {
  readonly port: number
  /** From the start of the process to the first 200 of `/readyz`. */
  readonly readyMs: number
  /** Bytes it holds now; undefined where there is no `/proc`. */
  readonly residentBytes: () => Promise<number | undefined>
}

/** The large owner stands at the default quota, so there is more. */
export const taskQuota = 999_999_999
export const storageQuotaBytes = 999_999_999_999

const cli = join(import.meta.dirname, '..', '..', 'src', 'cli.ts')
const startTimeoutMs = 20_000
const askEveryMs = 5

/** Brings a database up to date, as in production. */
export async function migrate(commands: Commands, place: Place): Promise<void> {
  await commands.run(process.execPath, [cli, 'migrate'], { cwd: place.cwd, env: settings(place, 0) })
}

/**
 * Docket as its users run it: a process of its own in production mode that checks tokens, validates, and logs every
 * request. @throws Error with what it said when it does not start.
 */
export async function startServer(place: Place): Promise<Server> {
  const port = await freePort()
  const nowhere = openSync(devNull, 'w')
  const began = performance.now()
  const child = spawn(process.execPath, [cli, 'start'], {
    cwd: place.cwd,
    stdio: ['ignore', nowhere, 'pipe'],
    env: settings(place, port),
  })
  closeSync(nowhere)
  const ended = once(child, 'exit')
  const said: string[] = []
  child.stderr?.on('data', (chunk: Buffer) => said.push(String(chunk)))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  while ((await statusOf(port)) !== 200) {
    const late = performance.now() - began > startTimeoutMs
    if (late || child.exitCode !== null) {
      await stop()
      throw new Error(`docket start failed:\n${said.join('')}`)
    }
    await wait(askEveryMs)
  }
  return {
    port,
    readyMs: performance.now() - began,
    residentBytes: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
      const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
    },
    [Symbol.asyncDispose]: stop,
  }
}

/** Nothing of the caller's environment. */
function settings({ databaseUrl, issuer, databaseConnections }: Place, port: number): Record<string, string> {
  return {
    NODE_ENV: 'production',
    LOG_LEVEL: 'info',
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    ...(databaseConnections !== undefined && { DATABASE_CONNECTIONS: String(databaseConnections) }),
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    RATE_LIMIT: '999999999',
    RATE_LIMIT_ADDRESS: '999999999',
    TASK_QUOTA: String(taskQuota),
    STORAGE_QUOTA: String(storageQuotaBytes),
  }
}

function statusOf(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    }).on('error', () => resolve(undefined))
  })
}
