import { getHeapStatistics } from 'node:v8'
import type { Logger } from 'pino'
import type { Operation } from './api/operation.ts'
import { createApp, describeApi } from './app.ts'
import { createAccessTokens } from './auth/access-token.ts'
import type { BuiltInIssuer } from './auth/built-in/built-in-issuer.ts'
import { developmentSecret } from './auth/built-in/development-secret.ts'
import { howToGetToken, keySources } from './auth/sources.ts'
import { requireOptionalPackages } from './config/optional-packages.ts'
import type { Config, Secrets } from './config.ts'
import type { BatchLimits } from './database/batch/batch.ts'
import { driverFor } from './database/drivers/driver.ts'
import { openEmbedded } from './database/embedded/embedded.ts'
import type { LaneLimits } from './database/lanes/lanes.ts'
import { type OpenDatabase, openEmbeddedDatabase, openPostgresDatabase } from './database/open.ts'
import type { AnyStatement } from './database/statements/statement.ts'
import { writeSums } from './events/sums.ts'
import { record } from './events.ts'
import type { Fetch } from './http/server/server.ts'
import { operations } from './operations.ts'
import { taskQuotas } from './tasks/quotas.ts'

/** A running API, without a server around it. */
export type TodoApi = {
  readonly fetch: Fetch
  /** `readyz` answers 503 from now on. All other requests are still served. */
  stopServing(): void
  /** Waits for requests in flight, then closes the database and the keys. */
  close(): Promise<void>
  readonly openapi: object
}

/** Opens a database that knows the given statements. */
export type OpenDatabaseOf = (common: {
  statements: readonly AnyStatement[]
  log: Logger
  limits: Partial<LaneLimits & BatchLimits>
}) => Promise<OpenDatabase>

export type Wiring = {
  config: Config
  secrets: Secrets
  log: Logger
  /** The origin at which callers reach the API. It is issuer and audience of the built-in issuer's tokens. */
  origin: string
  open: OpenDatabaseOf
  /** Default: all operations of Docket. */
  operations?: readonly Operation[]
}

/** The statements of operations. Each connection knows the prepared ones before it takes work. */
function statementsOf(listed: readonly Operation[]): AnyStatement[] {
  return [
    ...new Map(listed.flatMap(({ statements }) => statements.map((each) => [each.name, each]))).values(),
  ]
}

/** Builds every part and connects them, in the order of their dependencies. */
export async function wire({ config, secrets, log, origin, open, ...given }: Wiring): Promise<TodoApi> {
  const listed = given.operations ?? operations
  const closing: (() => Promise<void> | void)[] = []
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step()
    writeSums(log)
  }
  try {
    const { database, issuerPool, rateWindows } = await open({
      statements: statementsOf(listed),
      log,
      limits: { quotas: taskQuotas(config) },
    })
    closing.push(() => database.close())

    let issuer: BuiltInIssuer | undefined
    if (config.builtInIssuer) {
      const { pool, close } = issuerPool()
      closing.push(close)
      const { createBuiltInIssuer } = await import('./auth/built-in/built-in-issuer.ts')
      const secret = await developmentSecret(config.dataDir)
      issuer = await createBuiltInIssuer({
        database: pool,
        origin,
        secret,
        log: (
          level,
          message, // After the colon, Better Auth quotes the request.
        ) =>
          record(log, level === 'debug' ? 'info' : level, 'issuer', {
            message: message.split(/[:\n]/, 1)[0]?.slice(0, 100) ?? '',
          }),
      })
      await issuer.migrate()
    }

    const sources = keySources(config, secrets, issuer)
    const { demands, tokenHorizonSeconds: horizonSeconds } = config
    const tokens = createAccessTokens({
      sources,
      log,
      demands,
      horizonSeconds,
      advises: !config.production,
    })
    closing.push(() => tokens.close())

    const ownerWindows = config.rateLimit.store === 'postgres' ? rateWindows?.() : undefined
    closing.push(() => ownerWindows?.close())

    let serving = true
    const app = createApp({
      operations: listed,
      database,
      tokens,
      log,
      production: config.production,
      corsOrigins: config.corsOrigins,
      limits: { ...config.rateLimit, trustedProxies: config.trustedProxies, ownerWindows },
      answerBytes: answerBytes(),
      howToGetToken: howToGetToken(config),
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
      openapi: describeApi(listed),
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** An eighth of the heap limit, which Node derives from the machine's memory, and at most 128 MB. */
function answerBytes(): number {
  return Math.min(128 * 2 ** 20, getHeapStatistics().heap_size_limit / 8)
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
    return async (common) => {
      await requireOptionalPackages({ embedded: true, builtInIssuer: config.builtInIssuer })
      return openEmbeddedDatabase({ ...common, open: () => openEmbedded(config.dataDir, onFirstStart) })
    }
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
