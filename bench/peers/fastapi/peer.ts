import { join } from 'node:path'
import type { HttpApi } from '../../http-api.ts'
import type { Peer } from '../../peer.ts'
import type { Site } from '../../site.ts'
import { httpRequestsAt, idPrefixOfTasks, ownerName } from '../../workload.ts'

const poolSize = 16

/** FastAPI + SQLModel + PyJWT under uvicorn, the stack Docket was first specified for, as their tutorials write it. */
export const peer: Peer = {
  name: 'fastapi',
  needs: ['python3'],
  manifests: ['requirements.txt'],
  install: async (commands, folder) => {
    await commands.run('python3', ['-m', 'venv', join(folder, 'venv')])
    const pip = ['-m', 'pip', 'install', '--quiet', '--requirement', join(folder, 'requirements.txt')]
    await commands.run(join(folder, 'venv', 'bin', 'python'), pip)
  },
  forms: [
    (site, installed) => form(site, installed, { module: 'async_form', title: 'async', workers: 1 }),
    (site, installed) => form(site, installed, { module: 'threadpool_form', title: 'threads', workers: 1 }),
    (site, installed) =>
      form(site, installed, { module: 'async_form', title: 'async, 2 workers', workers: 2 }),
  ],
}

async function form(
  { databaseUrl, port, issuer, tokenOf }: Site,
  installed: string,
  { module, title, workers }: { module: string; title: string; workers: number },
): Promise<HttpApi> {
  return {
    name: `FastAPI + SQLModel (${title})`,
    note: `uvicorn with uvloop, ${workers === 1 ? 'one process' : `${workers} processes`}, ${poolSize} connections each, owner in WHERE`,
    command: {
      program: join(installed, 'venv', 'bin', 'python'),
      parameters: [
        ...['-m', 'uvicorn', `${module}:app`, '--host', '127.0.0.1', '--port', String(port)],
        ...['--workers', String(workers)],
      ],
      cwd: installed,
      env: {
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
