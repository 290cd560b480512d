import { join } from 'node:path'
import type { Environment } from './config/environment.ts'
import { type KeySetSource, readKeySources, type SharedSecretSource } from './config/key-sources.ts'
import { type Misspelt, misspelt } from './config/misspelt.ts'
import type { Secret } from './config/secret.ts'
import { ConfigError, Settings } from './config/settings.ts'
import { decidesOnEncryption } from './config/values.ts'
import { type Variable, variables } from './config/variables.ts'

export { ConfigError }

/** All settings of the process, validated and deeply frozen. `Secrets` holds the secret ones. */
export type Config = {
  readonly environment: 'development' | 'test' | 'production'
  readonly production: boolean
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  /** Whether other processes may listen on the same port. */
  readonly reusePort: boolean
  readonly dataDir: string
  /** `embedded` is PGlite in `dataDir`. `postgres` takes both URLs from `Secrets`. */
  readonly database:
    | { readonly kind: 'embedded' }
    | {
        readonly kind: 'postgres'
        readonly driver: 'auto' | 'postgres' | 'neon-http' | 'neon-ws'
        readonly connections: number
      }
  /** The origin of the app that runs Better Auth. */
  readonly betterAuthUrl?: string
  /** A remote key set (RFC 7517) and its issuers. Only its keys may sign tokens of these issuers. */
  readonly keySet?: KeySetSource
  /** HS256 with `secrets.jwtSecret`. Its issuer is never an issuer of the key set. */
  readonly sharedSecret?: SharedSecretSource
  /** True when no key source is configured outside production. Better Auth then runs at `/api/auth`. */
  readonly builtInIssuer: boolean
  /** Requirements on a valid token beyond the identity of its user. */
  readonly demands: { readonly scopes: readonly string[]; readonly verifiedEmail: boolean }
  /** Maximum tasks per owner. */
  readonly taskQuota: number
  /** Maximum bytes of the tasks of one owner. */
  readonly storageQuotaBytes: number
  /** Requests per minute. 0 turns a limit off. */
  readonly rateLimit: {
    readonly perOwner: number
    readonly perAddress: number
    readonly store: 'memory' | 'postgres'
  }
  /** Addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[]
  /** Origins byte for byte as browsers send them. */
  readonly corsOrigins: readonly string[]
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  /** Maximum time from now until a token's `exp`. */
  readonly tokenHorizonSeconds: number
  /** Variables that are set but are no settings, each with the setting it resembles. */
  readonly misspelt: readonly Misspelt[]
}

export type Secrets = {
  readonly databaseUrl?: Secret<string>
  /** Defaults to `databaseUrl`. */
  readonly migrationUrl?: Secret<string>
  /** At least 32 bytes. */
  readonly jwtSecret?: Secret<Uint8Array>
}

/**
 * Returns a copy of the process environment. `<folder>/.env`, if present, fills in variables that are unset or
 * empty.
 * No other code touches `process.env`.
 * @throws ConfigError when the file cannot be read.
 */
export function readEnvironment(folder = '.'): Environment {
  for (const { name } of Object.values(variables)) if (process.env[name] === '') delete process.env[name]
  try {
    process.loadEnvFile(join(folder, '.env'))
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!missing)
      throw new ConfigError(['.env is there but cannot be read: make it a readable file or remove it.'])
  }
  return { ...process.env }
}

/**
 * Returns the settings and, separately, the secrets, both frozen. The result depends on `environment` alone.
 * An empty variable counts as unset. Unknown variables are ignored, and `config.misspelt` lists likely
 * misspellings.
 * @throws ConfigError with all faults at once.
 */
export function loadConfig(environment: Environment): { config: Config; secrets: Secrets } {
  const settings = new Settings(environment)
  const kind = settings.read(variables.nodeEnv)
  const production = kind === 'production'
  const database = readDatabase(settings, production)
  const keys = readKeySources(settings, production)
  const { betterAuthUrl } = keys.config
  const config: Config = {
    environment: kind,
    production,
    host: settings.read(variables.host) ?? (production ? '0.0.0.0' : '127.0.0.1'),
    port: settings.read(variables.port),
    reusePort: settings.read(variables.reusePort),
    dataDir: settings.read(variables.dataDir),
    database: database.config,
    ...keys.config,
    demands: {
      scopes: settings.read(variables.requiredScope) ?? [],
      verifiedEmail: settings.read(variables.verifiedEmail),
    },
    taskQuota: settings.read(variables.taskQuota),
    storageQuotaBytes: settings.read(variables.storageQuota),
    rateLimit: {
      perOwner: settings.read(variables.rateLimit),
      perAddress: settings.read(variables.rateLimitAddress),
      store: readRateLimitStore(settings),
    },
    trustedProxies: settings.read(variables.trustedProxies) ?? [],
    corsOrigins: settings.read(variables.corsOrigins) ?? (betterAuthUrl ? [betterAuthUrl] : []),
    logLevel: settings.read(variables.logLevel),
    tokenHorizonSeconds: settings.read(variables.tokenHorizon),
    misspelt: misspelt(environment),
  }
  settings.throwIfFaulty()
  return deepFreeze({ config, secrets: { ...database.secrets, ...keys.secrets } })
}

function readDatabase(settings: Settings, production: boolean) {
  const databaseUrl = settings.read(variables.databaseUrl)
  const ownUrl = settings.read(variables.migrationUrl)
  const migrationUrl = ownUrl ?? databaseUrl
  const driver = settings.read(variables.driver)
  // Neon's own drivers always encrypt.
  if (production && !driver.startsWith('neon-')) {
    refuseUndecided(settings, variables.databaseUrl, databaseUrl)
    refuseUndecided(settings, variables.migrationUrl, ownUrl)
  }
  const connections = settings.read(variables.connections)
  if (production) settings.require(variables.databaseUrl, 'production never runs on the embedded database')
  else if (settings.has(variables.migrationUrl))
    settings.require(variables.databaseUrl, 'DATABASE_MIGRATION_URL is set, and it names the same database')

  if (!production && (driver === 'neon-http' || driver === 'neon-ws'))
    settings.require(
      variables.databaseUrl,
      `DATABASE_DRIVER is ${driver}, and the embedded database is not Neon`,
    )

  const config: Config['database'] = databaseUrl
    ? { kind: 'postgres', driver, connections }
    : { kind: 'embedded' }
  return { config, secrets: { ...(databaseUrl && { databaseUrl }), ...(migrationUrl && { migrationUrl }) } }
}

/** A URL without `sslmode` would connect without encryption, unnoticed. */
function refuseUndecided(settings: Settings, variable: Variable, url: Secret<string> | undefined): void {
  if (url !== undefined && !decidesOnEncryption(url))
    settings.refuse(
      variable,
      'must say how the way to the database is protected: sslmode=require encrypts it and checks the ' +
        'certificate, sslmode=disable is for a network of your own',
    )
}

function readRateLimitStore(settings: Settings): Config['rateLimit']['store'] {
  const store = settings.read(variables.rateLimitStore)
  if (store === 'postgres')
    settings.require(
      variables.databaseUrl,
      'RATE_LIMIT_STORE=postgres counts there; the embedded one serves one process',
    )
  return store
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) deepFreeze(part)
  }
  return value
}
