import type { z } from 'zod'
import {
  addressRange,
  anyText,
  commaList,
  exactOrigin,
  hs256Secret,
  identifier,
  keySetUrl,
  listenHost,
  oneOf,
  originUrl,
  postgresUrl,
  scopeToken,
  wholeNumber,
  yesOrNo,
} from './values.ts'

/** One setting, declared once. `loadConfig`, its fault messages, `.env.example` and the README all read this. */
export type Variable<T = unknown> = {
  readonly name: string
  /** Completes "It is …", without a full stop. */
  readonly meaning: string
  /** The text used while the variable is unset. */
  readonly default?: string
  /** Describes the behaviour while the variable is unset, where there is no fixed default. */
  readonly unset?: string
  readonly example: string
  readonly schema: z.ZodType<T, string>
}

export const variables = {
  nodeEnv: {
    name: 'NODE_ENV',
    meaning:
      'the kind of run: development, test or production; in production nothing is embedded or made up, ' +
      'so a missing DATABASE_URL or key source stops the start',
    default: 'development',
    example: 'production',
    schema: oneOf(['development', 'test', 'production']),
  },
  host: {
    name: 'HOST',
    meaning: 'the address to listen on',
    unset: '`127.0.0.1`, or `0.0.0.0` in production',
    example: '0.0.0.0',
    schema: listenHost,
  },
  port: {
    name: 'PORT',
    meaning: 'the port to listen on; 0 picks a free one and prints it',
    default: '8000',
    example: '3000',
    schema: wholeNumber(0, 65_535),
  },
  reusePort: {
    name: 'REUSE_PORT',
    meaning:
      'whether another Docket may listen at the same port at the same time, so that a new one takes over before the ' +
      'old one stops; then nobody notices when two share a port by mistake',
    default: 'false',
    example: 'true',
    schema: yesOrNo,
  },
  dataDir: {
    name: 'DATA_DIR',
    meaning: 'the folder of the embedded database and of the development secrets',
    default: './.data',
    example: '/var/lib/docket',
    schema: anyText,
  },
  databaseUrl: {
    name: 'DATABASE_URL',
    meaning:
      'the URL of any Postgres from version 15 on; of Neon the pooled (`-pooler`) or the direct one; in production ' +
      'with `sslmode`, unless it is on this machine',
    unset: 'embedded Postgres (PGlite) in `DATA_DIR`; required in production',
    example: 'postgresql://user:password@db.example.com/docket?sslmode=require',
    schema: postgresUrl,
  },
  migrationUrl: {
    name: 'DATABASE_MIGRATION_URL',
    meaning: 'the direct URL of the same database, for migrations, when `DATABASE_URL` is a pooled one',
    unset: '`DATABASE_URL`',
    example: 'postgresql://user:password@db-direct.example.com/docket?sslmode=require',
    schema: postgresUrl,
  },
  driver: {
    name: 'DATABASE_DRIVER',
    meaning:
      'how to reach Postgres: `postgres` over TCP, or, at Neon only, `neon-http` or `neon-ws` for places without ' +
      'TCP; `auto` is TCP where there is TCP and `neon-http` elsewhere',
    default: 'auto',
    example: 'neon-http',
    schema: oneOf(['auto', 'postgres', 'neon-http', 'neon-ws']),
  },
  connections: {
    name: 'DATABASE_CONNECTIONS',
    meaning:
      'how many connections to Postgres to hold, each for many requests at once; with `neon-http` and `neon-ws` ' +
      'each is for one at a time, so more are worth it',
    default: '16',
    example: '32',
    schema: wholeNumber(1, 100),
  },
  betterAuthUrl: {
    name: 'BETTER_AUTH_URL',
    meaning:
      'the origin of the app that runs Better Auth: keys come from `/api/auth/jwks` there, ' +
      'issuer and audience of its tokens are the origin itself',
    unset: 'outside production, without any key source: a built-in Better Auth at `/api/auth`',
    example: 'https://app.example.com',
    schema: originUrl,
  },
  jwksUrl: {
    name: 'AUTH_JWKS_URL',
    meaning:
      'the URL of the key set (JWKS) that signs the tokens; `http:` for loopback only, unless `AUTH_ALLOW_HTTP_KEYS`',
    unset: '`<BETTER_AUTH_URL>/api/auth/jwks`',
    example: 'https://app.example.com/api/auth/jwks',
    schema: keySetUrl,
  },
  allowHttpKeys: {
    name: 'AUTH_ALLOW_HTTP_KEYS',
    meaning:
      'whether the key set may be read over `http:` from another machine, such as `http://app.internal:3000`; ' +
      'whoever can change the traffic on the way there can then forge every token',
    default: 'false',
    example: 'true',
    schema: yesOrNo,
  },
  issuer: {
    name: 'AUTH_ISSUER',
    meaning: 'the issuers (`iss`) the key set speaks for, a comma list',
    unset: '`BETTER_AUTH_URL`',
    example: 'https://app.example.com',
    schema: commaList(identifier),
  },
  audience: {
    name: 'AUTH_AUDIENCE',
    meaning: 'the audiences (`aud`) a token may be meant for, a comma list',
    unset: '`BETTER_AUTH_URL`',
    example: 'https://app.example.com',
    schema: commaList(identifier),
  },
  jwtSecret: {
    name: 'AUTH_JWT_SECRET',
    meaning:
      'a secret of at least 32 bytes, as `openssl rand -base64 32` prints one, shared with an issuer that signs by HS256 (never the one Better Auth ' +
      'itself has); needs `AUTH_JWT_ISSUER` and `AUTH_AUDIENCE`, and may stand beside a key set',
    unset: 'no HS256 token is accepted',
    // Too short to be accepted if somebody copies it unchanged.
    example: '<what openssl prints>',
    schema: hs256Secret,
  },
  jwtIssuer: {
    name: 'AUTH_JWT_ISSUER',
    meaning: 'the one issuer (`iss`) that `AUTH_JWT_SECRET` speaks for; never one of `AUTH_ISSUER`',
    unset: 'none',
    example: 'https://login.example.com',
    schema: identifier,
  },
  tokenHorizon: {
    name: 'AUTH_TOKEN_HORIZON',
    meaning: 'how many seconds ahead the expiry of a token may lie',
    default: '604800',
    example: '3600',
    schema: wholeNumber(1, 315_360_000),
  },
  requiredScope: {
    name: 'AUTH_REQUIRED_SCOPE',
    meaning: 'the scopes that a token must have, all of them, a comma list; without them the answer is 403',
    unset: 'none',
    example: 'tasks',
    schema: commaList(scopeToken),
  },
  verifiedEmail: {
    name: 'AUTH_REQUIRE_VERIFIED_EMAIL',
    meaning:
      'whether a token must say `emailVerified: true`, as those of Better Auth do once it is; else 403',
    default: 'false',
    example: 'true',
    schema: yesOrNo,
  },
  taskQuota: {
    name: 'TASK_QUOTA',
    meaning: 'how many tasks an owner may have at the most',
    default: '10000',
    example: '500',
    schema: wholeNumber(1, 999_999_999),
  },
  storageQuota: {
    name: 'STORAGE_QUOTA',
    meaning: 'how many bytes the tasks of an owner may take: their texts in UTF-8, and 400 for each task',
    default: '20000000',
    example: '5000000',
    // The minimum fits the longest possible task, so that nobody mistakes the unit.
    schema: wholeNumber(100_000, 999_999_999_999),
  },
  rateLimit: {
    name: 'RATE_LIMIT',
    meaning: 'requests a minute per owner; 0 is off',
    default: '600',
    example: '1200',
    schema: wholeNumber(0, 999_999_999),
  },
  rateLimitStore: {
    name: 'RATE_LIMIT_STORE',
    meaning:
      'where requests per owner are counted: `memory` of each process, or `postgres`, for all instances on ' +
      'one database together, at the price of one more statement a request',
    default: 'memory',
    example: 'postgres',
    schema: oneOf(['memory', 'postgres']),
  },
  rateLimitAddress: {
    name: 'RATE_LIMIT_ADDRESS',
    meaning: 'requests a minute per client address without a good token; 0 is off',
    default: '300',
    example: '1000',
    schema: wholeNumber(0, 999_999_999),
  },
  trustedProxies: {
    name: 'TRUSTED_PROXIES',
    meaning: 'addresses or CIDR ranges whose forwarded-for header is believed, a comma list',
    unset: 'none',
    example: '10.0.0.0/8,fd00::/8',
    schema: commaList(addressRange),
  },
  corsOrigins: {
    name: 'CORS_ORIGINS',
    meaning: 'exact origins whose pages may call the API, a comma list',
    unset: 'the origin of `BETTER_AUTH_URL`, or none',
    example: 'https://app.example.com,http://localhost:3000',
    schema: commaList(exactOrigin),
  },
  logLevel: {
    name: 'LOG_LEVEL',
    meaning: 'the least severe log lines to write; `debug` also writes repeats one by one',
    default: 'info',
    example: 'debug',
    schema: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
  },
} as const satisfies Record<string, Variable>
