import { existsSync } from 'node:fs'
import { access, constants, readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { KeySetFault } from '../auth/keys/key-document.ts'
import { loadKeys, remoteKeys } from '../auth/keys/key-set.ts'
import { toldMisspelt } from '../config/misspelt.ts'
import { loadBetterAuth, loadPglite } from '../config/optional-packages.ts'
import { isLoopback, isUnprotected } from '../config/values.ts'
import { type Config, loadConfig, readEnvironment, type Secrets } from '../config.ts'
import type { Session } from '../database/batch/session.ts'
import { driverFor } from '../database/drivers/driver.ts'
import { withSession } from '../database/drivers/session.ts'
import { unwritableFolder } from '../database/embedded/embedded.ts'
import { refuseBehind, refuseOtherDatabase } from '../database/open.ts'
import { findDifferences } from '../database/protection/check.ts'
import type { Difference } from '../database/protection/differences.ts'
import { checkRole, checkVersion } from '../database/setup/roles.ts'
import { StartError } from '../errors.ts'

type Finding = { readonly check: string; readonly ok: boolean; readonly detail: string }

/**
 * Checks, without changing anything, and says how to fix each fault:
 * - settings and proxies
 * - database or data folder
 * - role, migrations, rights and policies, and the URL to migrate by
 * - keys
 * - the kernel setting that hand-over needs
 *
 * Only a start can tell whether the port is free, and what is inside an embedded database.
 */
export async function runDoctor(): Promise<number> {
  const findings: Finding[] = []
  const look = async (check: string, work: () => Promise<string> | string) => {
    try {
      findings.push({ check, ok: true, detail: await work() })
      return true
    } catch (error) {
      findings.push({ check, ok: false, detail: error instanceof Error ? error.message : String(error) })
      return false
    }
  }

  let loaded: { config: Config; secrets: Secrets } | undefined
  await look('settings', () => {
    loaded = loadConfig(readEnvironment())
    return `${loaded.config.environment}, port ${loaded.config.port}`
  })
  if (loaded !== undefined) {
    for (const one of loaded.config.misspelt)
      await look('settings', () => Promise.reject(new Error(`${toldMisspelt(one)}.`)))
    const aboutProxies = adviceOnProxies(loaded.config)
    if (aboutProxies !== undefined) await look('proxies', () => aboutProxies)
    await lookAtDatabase(loaded, look)
    await lookAtKeys(loaded.config, look)
    if (loaded.config.reusePort) await look('hand-over', lookAtKernel)
  }
  print(findings)
  return findings.every(({ ok }) => ok) ? 0 : 1
}

type Look = (check: string, work: () => Promise<string> | string) => Promise<boolean>

async function lookAtDatabase({ config, secrets }: { config: Config; secrets: Secrets }, look: Look) {
  const url = secrets.databaseUrl?.reveal()
  if (url === undefined || config.database.kind === 'embedded') {
    await look('data folder', () => lookAtFolder(config.dataDir))
    await look('database', async () => {
      await loadPglite()
      return existsSync(join(config.dataDir, 'postgres'))
        ? 'embedded, in DATA_DIR; role, migrations, rights and policies are checked at every start'
        : 'embedded; the first start makes it in DATA_DIR'
    })
    return
  }
  const driver = driverFor(config.database.driver)
  const inSession = (work: (session: Session) => Promise<void>, detail: string) => async () => {
    await withSession(url, 'DATABASE_URL', work, driver)
    return detail
  }
  const reached = await look('database', inSession(checkVersion, `reached by ${driver}, new enough`))
  if (!reached) return
  if (
    (await look('migrations', inSession(refuseBehind, 'all applied'))) &&
    (await look('role', inSession(checkRole, 'the policies apply to every statement')))
  )
    await lookAtProtection(() => withSession(url, 'DATABASE_URL', findDifferences, driver), look)
  const migrationUrl = secrets.migrationUrl?.reveal() ?? url
  if (migrationUrl === url) return
  await look('migration URL', async () => {
    await refuseOtherDatabase({ url, migrationUrl, driver })
    return 'reached, the same database'
  })
}

/** Each difference is a separate finding. */
async function lookAtProtection(find: () => Promise<Difference[]>, look: Look) {
  let differences: Difference[] = []
  const compared = await look('protection', async () => {
    differences = await find()
    const [first] = differences
    if (first !== undefined) throw new Error(first.sentence)
    return 'rights and policies are those that the migrations made'
  })
  if (compared) return
  for (const { sentence } of differences.slice(1))
    await look('protection', () => Promise.reject(new Error(sentence)))
}

/** Checks whether a start could make or use the folder, without making it. */
async function lookAtFolder(dataDir: string): Promise<string> {
  let nearest = resolve(dataDir)
  while (!existsSync(nearest)) nearest = dirname(nearest)
  try {
    if (!(await stat(nearest)).isDirectory()) throw new Error('not a folder')
    await access(nearest, constants.W_OK | constants.X_OK)
    return nearest === resolve(dataDir) ? 'DATA_DIR can be written' : 'DATA_DIR can be made'
  } catch (error) {
    throw new StartError(unwritableFolder, 73, error)
  }
}

async function lookAtKeys(config: Config, look: Look) {
  if (config.builtInIssuer)
    await look('keys', async () => {
      await loadBetterAuth()
      return 'the built-in issuer makes its own'
    })
  if (config.sharedSecret !== undefined)
    await look('shared secret', () => `HS256 for ${config.sharedSecret?.issuer}`)
  const { keySet } = config
  if (keySet === undefined) return
  await look('key set', async () => {
    const { url, issuers, allowHttp } = keySet
    const { keys, ignored } = await loadKeys(remoteKeys(url, { allowHttp }))
    if (keys.size === 0) throw new KeySetFault('no_usable_key')
    const found = `${keys.size} usable, ${ignored.length} ignored, for ${issuers.join(', ')}`
    return isUnprotected(new URL(url))
      ? `${found}; read over http: whoever can change that traffic can forge every token`
      : found
  })
}

/** The effect of an unset TRUSTED_PROXIES in production. Advice only: a directly reachable server needs none. */
function adviceOnProxies({ production, trustedProxies, rateLimit, host }: Config): string | undefined {
  if (!production || trustedProxies.length > 0 || rateLimit.perAddress === 0) return undefined
  const meaning = 'all callers behind a proxy count as one address for RATE_LIMIT_ADDRESS'
  return isLoopback(host) || host === '::1'
    ? `TRUSTED_PROXIES is not set, and HOST is for this machine only: ${meaning}; set it to 127.0.0.1,::1`
    : `TRUSTED_PROXIES is not set: ${meaning}; name the proxy there if one stands in front`
}

/**
 * Checks whether Linux resets connections that wait for a stopping process. Advice only: Docket runs without the
 * setting.
 */
async function lookAtKernel(): Promise<string> {
  const setting = await readFile('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').catch(() => undefined)
  if (setting?.trim() === '1') return 'what waits for a process that stops goes to the next one'
  const loss = 'a new connection can be reset while a process stops'
  return setting === undefined
    ? `${loss}: this system has no setting against it`
    : `${loss}: sysctl -w net.ipv4.tcp_migrate_req=1 prevents that`
}

function print(findings: readonly Finding[]): void {
  if (!process.stdout.isTTY) {
    process.stdout.write(`${JSON.stringify({ ok: findings.every(({ ok }) => ok), findings })}\n`)
    return
  }
  for (const { check, ok, detail } of findings)
    process.stdout.write(`${ok ? '✓' : '✗'} ${check.padEnd(14)} ${detail}\n`)
}
