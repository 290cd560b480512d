import { Hono, type MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import type { Operation } from './api/operation.ts'
import type { AccessTokens } from './auth/access-token.ts'
import type { BuiltInIssuer } from './auth/built-in/built-in-issuer.ts'
import { demoTokens, signIn } from './caller/sign-in.ts'
import type { Database } from './database/database.ts'
import type { RateWindows } from './database/rate-windows.ts'
import { healthRoutes, type Readiness } from './health/routes.ts'
import { problem } from './http/answer/problem.ts'
import { respondJson } from './http/answer/respond.ts'
import { docsRoutes } from './http/docs/docs-page.ts'
import { documentationRoutes } from './http/docs/documentation.ts'
import type { OpenRoute } from './http/docs/open-route.ts'
import { openapiDocument, openapiPath, type Surface } from './http/docs/openapi.ts'
import { problemPages } from './http/docs/problem-pages.ts'
import { authenticate } from './http/gate/authenticate.ts'
import { clientAddress } from './http/gate/client-address.ts'
import { cors } from './http/gate/cors.ts'
import { createAddressDigest, ownerDigest } from './http/gate/digests.ts'
import { shedLoad } from './http/gate/load-shedding.ts'
import { rateLimit } from './http/gate/rate-limit.ts'
import { readableHead } from './http/gate/request-head.ts'
import { requestLog } from './http/gate/request-log.ts'
import { warnOfUntrustedProxy } from './http/gate/untrusted-proxy.ts'
import { unmatched } from './http/paths.ts'
import { AnswerBudget } from './http/request/answer-budget.ts'
import type { Env } from './http/request/context.ts'
import { addRoutes } from './http/routes.ts'
import { operations } from './operations.ts'

export type Parts = {
  /** Default: all operations of Docket. */
  operations?: readonly Operation[]
  database: Database
  tokens: AccessTokens
  log: Logger
  /** Callers use HTTPS, and responses tell them to stay on it. */
  production: boolean
  corsOrigins: readonly string[]
  /** Requests per minute; 0 is off. */
  limits: {
    perOwner: number
    perAddress: number
    trustedProxies: readonly string[]
    /** Set when several instances count the requests of owners together. */
    ownerWindows: RateWindows | undefined
  }
  readiness: () => Readiness
  /** Most bytes of unread responses to owners. */
  answerBytes: number
  /** How a person gets a token where there is no demo user: the middle of a sentence. */
  howToGetToken: string
  /** Only in development, and only when no other source of tokens is configured. */
  issuer?: BuiltInIssuer
}

/** The whole API on one screen: the checks that a request passes, in order, and everything that answers it. */
export function createApp({
  operations: listed = operations,
  database,
  tokens,
  log,
  production,
  corsOrigins,
  limits,
  readiness,
  answerBytes,
  howToGetToken,
  issuer,
}: Parts): Hono<Env> {
  const surface = surfaceOf(listed, readiness)
  const app = new Hono<Env>({ strict: false })

  app.use(requestLog(log, production))
  // First, so that a page of an allowed origin can read every later refusal.
  app.use('/api/*', cors(corsOrigins, log))
  app.use(readableHead)
  const nobodyTook = unmatched(surface)
  app.options('*', nobodyTook)
  const { perAddress, perOwner, ownerWindows: windows, trustedProxies } = limits
  const addressDigest = createAddressDigest()
  const onUntrusted = production ? warnOfUntrustedProxy(log, addressDigest) : undefined
  app.use(
    `${basePath}/*`,
    authenticate({
      tokens,
      database,
      answers: new AnswerBudget(answerBytes),
      perAddress: rateLimit({ name: 'address', perMinute: perAddress, log, digest: addressDigest }),
      perOwner: rateLimit({ name: 'owner', perMinute: perOwner, log, digest: ownerDigest, windows }),
      addressOf: clientAddress(trustedProxies, onUntrusted),
    }),
  )
  app.use(
    `${basePath}/*`,
    shedLoad(log, () => database.waiting()),
  )

  addRoutes(app, surface.operations, basePath)
  for (const { path, handle } of surface.openRoutes)
    if (handle !== undefined) app.get(path.replaceAll(/\{(\w+)\}/g, ':$1'), handle)

  // As bytes, so that all connections that wait for it share one copy.
  const document = Buffer.from(JSON.stringify(openapiDocument(surface)))
  app.get(openapiPath, (c) => respondJson(c, 200, document))
  app.use('/docs/*', withOurHeaders)
  const demoToken = issuer && demoTokens(issuer)
  app.route('/', docsRoutes({ openapiUrl: openapiPath, howToGetToken, ...(demoToken && { demoToken }) }))
  if (issuer) app.on(['GET', 'POST'], '/api/auth/*', withOurHeaders, signIn(issuer, log))

  app.notFound(nobodyTook)
  app.onError((error, c) => problem(c, error))
  return app
}

const basePath = '/api/v1'

/** The OpenAPI document of the API. Starts nothing. */
export function describeApi(listed: readonly Operation[] = operations): object {
  return openapiDocument(
    surfaceOf(listed, () => ({ database: false, isolation: false, keys: false, serving: false })),
  )
}

function surfaceOf(listed: readonly Operation[], readiness: () => Readiness): Surface {
  const openRoutes: readonly OpenRoute[] = [
    ...healthRoutes(readiness),
    problemPages,
    ...documentationRoutes(basePath),
  ]
  return { operations: listed, openRoutes, basePath }
}

/** For answers that `respond` does not make: adds the headers of every response that they do not set. */
const withOurHeaders: MiddlewareHandler<Env> = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(c.var.headers))
    if (!c.res.headers.has(name)) c.res.headers.set(name, value)
}
