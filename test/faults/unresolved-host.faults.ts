import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { cleanUp, newFolder, root, run } from '../support/process.ts'
import { admin } from '../support/real-postgres.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'
import { recoveryMs, requestMs } from './faults.ts'
import { startMortalPostgres } from './mortal-postgres.ts'

afterAll(cleanUp)

const name = 'database.example'

/** A process may have an /etc/hosts of its own where this user can make a name space of mounts. */
async function canHideHosts(): Promise<boolean> {
  const tried = promisify(execFile)('unshare', ['-m', 'mount', '--bind', '/etc/hosts', '/etc/hosts'])
  return tried.then(
    () => true,
    () => false,
  )
}

test('the host name of the database stops resolving, and resolves again', async ({ skip }) => {
  if (!(await canHideHosts())) {
    process.stderr.write('  NOT SHOWN: a name that stops resolving, because unshare -m is not permitted.\n')
    return skip('unshare -m is not permitted here')
  }
  const postgres = await startMortalPostgres()
  onTestFinished(() => postgres.remove())
  const issuer = await startTokenIssuer()
  onTestFinished(() => issuer.close())
  const folder = await newFolder()
  const hosts = join(folder, 'hosts')
  const usual = await readFile('/etc/hosts', 'utf8')
  const resolves = (does: boolean) => writeFile(hosts, does ? `${usual}\n127.0.0.1 ${name}\n` : usual)
  await resolves(true)

  const url = new URL(postgres.url)
  url.hostname = name
  const script = 'mount --bind "$1" /etc/hosts && exec "$2" "$3" start'
  const cli = join(root, 'src/cli.ts')
  const api = run('unshare', ['-m', 'sh', '-c', script, 'sh', hosts, process.execPath, cli], {
    folder,
    environment: {
      PORT: '0',
      HOST: '127.0.0.1',
      DATABASE_URL: url.href,
      AUTH_JWKS_URL: issuer.url,
      AUTH_ISSUER: issuer.issuer,
      AUTH_AUDIENCE: issuer.audience,
    },
  })
  const [, origin = ''] = await api.says(/"event":"start","origin":"([^"]+)".*\n/)
  const headers = { authorization: `Bearer ${await issuer.token({ sub: 'ann' })}` }
  const ask = () => fetch(`${origin}/api/v1/tasks`, { headers })
  expect((await ask()).status).toBe(200)

  await resolves(false)
  await admin(
    postgres.url,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'docket'`,
  )
  const start = performance.now()
  const refused = await ask()
  expect(performance.now() - start).toBeLessThan(requestMs)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  await api.says(/"event":"database_lost","cause":{[^}]*"code":"(ENOTFOUND|EAI_AGAIN)"/)

  await resolves(true)
  await expect.poll(async () => (await ask()).status, { timeout: recoveryMs, interval: 50 }).toBe(200)
  api.kill('SIGTERM')
  expect((await api.ended).code).toBe(0)
})
