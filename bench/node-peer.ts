import { join } from 'node:path'
import type { Commands } from './commands.ts'
import type { HttpApi } from './http-api.ts'
import type { Site } from './site.ts'
import { httpRequestsAt, idPrefixOfTasks, ownerName } from './workload.ts'

/** What the lock file names; nothing of it is run while it is installed. */
export async function installNodePackages(commands: Commands, folder: string): Promise<void> {
  await commands.run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder])
}

type Form = {
  readonly name: string
  readonly note: (poolSize: number) => string
  /** What Node runs; `server.ts` unless it says otherwise. */
  readonly program?: string
}

const poolSize = 16

/** A peer that Node runs, with the tasks under `/tasks`, told by its environment where everything is. */
export async function nodeForm(site: Site, installed: string, form: Form): Promise<HttpApi> {
  const { databaseUrl, port, issuer, tokenOf } = site
  return {
    name: form.name,
    note: form.note(poolSize),
    command: {
      program: process.execPath,
      parameters: [join(installed, form.program ?? 'server.ts')],
      cwd: installed,
      env: {
        NODE_ENV: 'production',
        PORT: String(port),
        DATABASE_URL: databaseUrl,
        POOL_SIZE: String(poolSize),
        JWKS_URL: issuer.url,
        ISSUER: issuer.issuer,
        AUDIENCE: issuer.audience,
      },
    },
    readyPath: '/health',
    requests: httpRequestsAt('/tasks'),
    ownerName,
    idPrefix: idPrefixOfTasks,
    tokenOf,
    withoutToken: 401,
  }
}
