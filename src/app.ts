import { OpenAPIHono } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import type { AccessTokens } from './auth/access-token.ts'
import { authenticate } from './auth/authenticate.ts'
import type { BuiltInIssuer } from './auth/built-in-issuer.ts'
import { addCaller } from './auth/me.ts'
import { signIn } from './auth/sign-in.ts'
import type { Database } from './database/client.ts'
import type { RateWindows } from './database/rate-windows.ts'
import { addHealth, type Readiness } from './health/routes.ts'
import { clientAddress } from './http/client-address.ts'
import type { Env } from './http/context.ts'
import { cors } from './http/cors.ts'
import { docsRoutes } from './http/docs-page.ts'
import { documentDocumentation } from './http/documentation.ts'
import { shedLoad } from './http/load-shedding.ts'
import { openapiDocument, openapiPath } from './http/openapi.ts'
import { unmatched } from './http/paths.ts'
import { problem } from './http/problem.ts'
import { addProblemPages } from './http/problem-pages.ts'
import { rateLimit } from './http/rate-limit.ts'
import { readableHead } from './http/request-head.ts'
import { requestLog } from './http/request-log.ts'
import { respondJson } from './http/respond.ts'
import { addTasks } from './tasks/routes.ts'

export type Parts = {
  database: Database
  tokens: AccessTokens
  log: Logger
  /** Callers come over HTTPS, and are told to keep to it. */
  production: boolean
  corsOrigins: readonly string[]
  /** Requests a minute; 0 is off. */
  limits: {
    perOwner: number
    perAddress: number
    trustedProxies: readonly string[]
    /** Where the requests of owners are counted for several instances together. */
    ownerWindows: RateWindows | undefined
  }
  readiness: () => Readiness
  /** Only in development, and only when no other source of tokens is configured. */
  issuer?: BuiltInIssuer
}

/** The whole API on one screen: what a request passes, in order, and everything that can answer it. */
export function createApp({
  database,
  tokens,
  log,
  production,
  corsOrigins,
  limits,
  readiness,
  issuer,
}: Parts): OpenAPIHono<Env> {
  const app = new OpenAPIHono<Env>({ strict: false })

  app.use(requestLog(log, production))
  // First, so that a page of an allowed origin can read whatever is refused after it.
  app.use('/api/*', cors(corsOrigins))
  app.use(readableHead)
  const nobodyTook = unmatched(app)
  app.options('*', nobodyTook)
  app.use(
    '/api/v1/*',
    authenticate({
      tokens,
      database,
      perAddress: rateLimit('address', limits.perAddress, log),
      perOwner: rateLimit('owner', limits.perOwner, log, limits.ownerWindows),
      addressOf: clientAddress(limits.trustedProxies),
    }),
  )
  app.use(
    '/api/v1/*',
    shedLoad(log, () => database.waiting()),
  )

  addOperations(app, readiness)

  const document = JSON.stringify(openapiDocument(app))
  app.get(openapiPath, (c) => respondJson(c, 200, document))
  app.use('/docs/*', withOurHeaders)
  app.route('/', docsRoutes({ openapiUrl: openapiPath, ...(issuer && { demoToken: issuer.demoToken }) }))
  if (issuer) app.on(['GET', 'POST'], '/api/auth/*', withOurHeaders, signIn(issuer, log))

  app.notFound(nobodyTook)
  app.onError((error, c) => problem(c, error))
  return app
}

/** The OpenAPI document of the API, without anything running. */
export function describeApi(): object {
  const app = new OpenAPIHono<Env>({ strict: false })
  addOperations(app, () => ({ database: false, isolation: false, keys: false, serving: false }))
  return openapiDocument(app)
}

function addOperations(app: OpenAPIHono<Env>, readiness: () => Readiness): void {
  addTasks(app)
  addCaller(app)
  addHealth(app, readiness)
  addProblemPages(app)
  documentDocumentation(app)
}

/** For answers that are not made by `respond`: the headers of every response, where they say nothing else. */
const withOurHeaders: MiddlewareHandler<Env> = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(c.var.headers))
    if (!c.res.headers.has(name)) c.res.headers.set(name, value)
}
