import type { Logger } from 'pino'
import { createApp, describeApi } from './app.ts'
import { createAccessTokens } from './auth/access-token.ts'
import type { BuiltInIssuer } from './auth/built-in-issuer.ts'
import { developmentSecret } from './auth/development-secret.ts'
import { keySources } from './auth/sources.ts'
import { type Config, loadConfig, type Secrets } from './config.ts'
import { driverFor } from './database/driver.ts'
import { openEmbedded } from './database/embedded.ts'
import type { LaneLimits } from './database/lanes.ts'
import { type OpenDatabase, openEmbeddedDatabase, openPostgresDatabase } from './database/open.ts'
import type { BatchLimits } from './database/owner-batch.ts'
import type { AnyStatement } from './database/statement.ts'
import { record } from './events.ts'
import type { Fetch } from './http/server.ts'
import { createLog } from './log.ts'
import { taskStatements } from './tasks/statements.ts'

/** A running API, without a server around it. */
export type TodoApi = {
  readonly fetch: Fetch
  /** Answers `readyz` with 503 from now on; everything else is still served. */
  stopServing(): void
  /** Waits for what is in flight, then lets go of the database and the keys. */
  close(): Promise<void>
  readonly openapi: object
}

/** Opens a database that knows the statements given. */
export type OpenDatabaseOf = (common: {
  statements: readonly AnyStatement[]
  log: Logger
  limits: Partial<LaneLimits & BatchLimits>
}) => Promise<OpenDatabase>

export type Wiring = {
  config: Config
  secrets: Secrets
  log: Logger
  /** Where callers reach the API; the issuer and audience of tokens of the built-in issuer. */
  origin: string
  open: OpenDatabaseOf
}

/** Every statement there is. Connections know them all before they take work. */
const statements = [...taskStatements]

/**
 * The API as a `fetch` handler, to mount in an app that has a server of its own. It reads the same variables as the
 * command does; nothing is taken from `process.env` unless it is passed.
 *
 * @throws ConfigError, StartError in one sentence each.
 */
export async function createTodoApi(options: {
  environment: Record<string, string | undefined>
  origin?: string
  log?: Logger
}): Promise<TodoApi> {
  const { config, secrets } = loadConfig(options.environment)
  const log = options.log ?? (await createLog(config.logLevel)).log
  const origin = options.origin ?? `http://localhost:${config.port}`
  return wire({ config, secrets, log, origin, open: configuredDatabase(config, secrets) })
}

/** Builds every part and connects them, in the order in which they need each other. */
export async function wire({ config, secrets, log, origin, open }: Wiring): Promise<TodoApi> {
  const closing: (() => Promise<void> | void)[] = []
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step()
  }
  try {
    const { database, issuerPool, rateWindows } = await open({
      statements,
      log,
      limits: { taskQuota: config.taskQuota, storageQuotaBytes: config.storageQuotaBytes },
    })
    closing.push(() => database.close())

    let issuer: BuiltInIssuer | undefined
    if (config.builtInIssuer) {
      const { pool, close } = issuerPool()
      closing.push(close)
      const { createBuiltInIssuer } = await import('./auth/built-in-issuer.ts')
      const secret = await developmentSecret(config.dataDir)
      issuer = await createBuiltInIssuer({
        database: pool,
        origin,
        secret,
        log: (
          level,
          message, // Behind a colon Better Auth repeats what a caller sent.
        ) =>
          record(log, level === 'debug' ? 'info' : level, 'issuer', {
            message: message.split(/[:\n]/, 1)[0]?.slice(0, 100) ?? '',
          }),
      })
      await issuer.migrate()
    }

    const sources = keySources(config, secrets, issuer)
    const { demands, tokenHorizonSeconds: horizonSeconds } = config
    const tokens = createAccessTokens({ sources, log, demands, horizonSeconds })
    closing.push(() => tokens.close())

    const ownerWindows = config.rateLimit.store === 'postgres' ? rateWindows?.() : undefined
    closing.push(() => ownerWindows?.close())

    let serving = true
    const app = createApp({
      database,
      tokens,
      log,
      production: config.production,
      corsOrigins: config.corsOrigins,
      limits: { ...config.rateLimit, trustedProxies: config.trustedProxies, ownerWindows },
      readiness: () => ({
        database: database.reachable(),
        isolation: database.isolated(),
        keys: tokens.ready(),
        serving,
      }),
      ...(issuer && { issuer }),
    })
    const stopServing = () => {
      serving = false
    }
    return {
      fetch: (request, bindings) => app.fetch(request, bindings),
      stopServing,
      close,
      openapi: describeApi(),
    }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * The database that the configuration names.
 * `onFirstStart` is called before the embedded one is made, which takes a few seconds.
 */
export function configuredDatabase(
  config: Config,
  secrets: Secrets,
  onFirstStart: () => void = () => {},
): OpenDatabaseOf {
  const url = secrets.databaseUrl?.reveal()
  if (config.database.kind === 'embedded' || url === undefined)
    return (common) =>
      openEmbeddedDatabase({ ...common, open: () => openEmbedded(config.dataDir, onFirstStart) })
  const migrationUrl = secrets.migrationUrl?.reveal() ?? url
  const { connections } = config.database
  const driver = driverFor(config.database.driver)
  return (common) =>
    openPostgresDatabase({
      ...common,
      url,
      migrationUrl,
      driver,
      migrates: !config.production,
      limits: { ...common.limits, connections },
    })
}
