import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { startPostgres, withDatabase } from '../test/support/real-postgres.ts'
import { startTokenIssuer } from '../test/support/token-issuer.ts'
import type { Commands } from './commands.ts'
import { migrate } from './docket.ts'
import type { Site } from './site.ts'
import { fill, ownerName, withClient } from './workload.ts'

const root = join(import.meta.dirname, '..')
const tokenSeconds = 86_400

/** What every contender shares, taken down again with the stack, whatever happens. */
export async function prepareSite(
  commands: Commands,
  opened: AsyncDisposableStack,
  options: { connections: number; databaseConnections: number },
): Promise<Omit<Site, 'port'>> {
  const folder = opened.adopt(await mkdtemp(join(tmpdir(), 'docket-bench-')), (made) =>
    rm(made, { recursive: true, force: true }),
  )
  const server = opened.adopt(await startPostgres(), (started) => started.stop())
  const issuer = opened.use(await startTokenIssuer())
  const databaseUrl = withDatabase(server.url, 'bench')
  await withClient(server.url, (client) => client.query('create database bench'))
  const exp = Math.floor(Date.now() / 1000) + tokenSeconds
  const tokenOf = (owner: number) => issuer.token({ sub: ownerName(owner), exp })
  const site = { ...options, folder, databaseUrl, issuer, tokenOf }
  await migrate(commands, { ...site, port: 0, name: 'docket', root })
  await fill(databaseUrl)
  return site
}

/** What it ran on, for whoever reads the figures. */
export function machine(): string {
  const [first] = cpus()
  return `${cpus().length} × ${first?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB`
}
