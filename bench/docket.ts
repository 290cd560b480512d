import { join } from 'node:path'
import type { Commands } from './commands.ts'
import type { HttpApi } from './http-api.ts'
import type { Site } from './site.ts'
import { httpRequestsAt, idPrefixOfTasks, ownerName } from './workload.ts'

export type Installation = Site & {
  readonly name: string
  /** The checkout whose source is run. */
  readonly root: string
  /** For the runtime, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[]
}

/** Brings the database up to date, as in production. */
export async function migrate(commands: Commands, installation: Installation): Promise<void> {
  const { folder: cwd } = installation
  await commands.run(process.execPath, [cliOf(installation), 'migrate'], { cwd, env: settings(installation) })
}

const cliOf = ({ root }: Installation) => join(root, 'src', 'cli.ts')

/**
 * Docket as its users run it: a process of its own in production mode that checks tokens, validates, and logs every
 * request at `info`. Rate limits are on and too high to be reached.
 */
export function docketApi(installation: Installation): HttpApi {
  const { nodeFlags = [], connections, databaseConnections } = installation
  return {
    name: installation.name,
    note: `${connections} HTTP connections, DATABASE_CONNECTIONS=${databaseConnections}, one process`,
    command: {
      program: process.execPath,
      parameters: [...nodeFlags, cliOf(installation), 'start'],
      cwd: installation.folder,
      env: settings(installation),
    },
    readyPath: '/readyz',
    requests: httpRequestsAt('/api/v1/tasks'),
    ownerName,
    idPrefix: idPrefixOfTasks,
    tokenOf: installation.tokenOf,
    withoutToken: 401,
  }
}

/** Nothing of the caller's environment: what is measured depends on what is written here. */
export function settings({ databaseUrl, databaseConnections, issuer, port }: Site): Record<string, string> {
  return {
    NODE_ENV: 'production',
    LOG_LEVEL: 'info',
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    DATABASE_CONNECTIONS: String(databaseConnections),
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    RATE_LIMIT: '999999999',
    RATE_LIMIT_ADDRESS: '999999999',
  }
}
