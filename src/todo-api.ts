import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { TodoApi as RunningApi } from './index.ts'

/** Receives log lines: a fixed sentence and its fields. A pino logger fits. */
export type Log = Readonly<
  Record<'info' | 'warn' | 'error' | 'fatal', (fields: object, sentence: string) => void>
>

export type TodoApiOptions = {
  /** The settings, under the same names as for the command; usually `process.env`. Nothing else is read. */
  environment: Readonly<Record<string, string | undefined>>
  /** The origin at which callers reach the API. Only the built-in issuer of development needs it. */
  origin?: string
  /** Default: lines from `LOG_LEVEL` up (here `warn` by default) go to standard output. */
  log?: Log
}

/** The connection of a request, where Node's HTTP server carries it. */
export type Connection = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse }

/** The API without a server. */
export type TodoApi = {
  /** Answers a request. It never rejects. The first request opens the API. */
  fetch(request: Request, connection?: Connection): Promise<Response>
  /**
   * Loads the code and connects to the database, as the first request would.
   * @throws Error whose message says what is wrong and what to do. The next attempt starts over.
   */
  open(): Promise<void>
  /** `readyz` answers 503 from now on. All other requests are still served. */
  stopServing(): void
  /** Waits for the requests in progress, then closes every connection. Later requests get 503. */
  close(): Promise<void>
  /** The OpenAPI document. Needs no database. */
  openapi(): Promise<object>
}

/**
 * The API as a `fetch` handler, for an app that has its own server. This call does no work, so an app may make it at
 * build time. The API handles no signal, and prints nothing in a run without faults.
 */
export function createTodoApi(options: TodoApiOptions): TodoApi {
  const log = once(() => openLog(options))
  let opening: Promise<RunningApi> | undefined
  let state: 'serving' | 'stopped' | 'closed' = 'serving'

  const open = () => {
    if (state === 'closed') return Promise.reject(new Error('The API was closed: create another one.'))
    opening ??= openApi(options, log).catch(async (error: unknown) => {
      opening = undefined
      const { causeOf, record } = await import('./events.ts')
      record((await log()) as Logger, 'error', 'not_opened', { cause: causeOf(error) })
      throw error
    })
    return opening
  }
  return {
    async fetch(request, connection) {
      let api: RunningApi
      try {
        api = await open()
      } catch (error) {
        return refusal(error, options.environment.NODE_ENV === 'production')
      }
      if (state === 'stopped') api.stopServing()
      return api.fetch(request, connection)
    },
    async open() {
      await open()
    },
    stopServing() {
      if (state === 'serving') state = 'stopped'
    },
    async close() {
      const opened = opening?.catch(() => undefined)
      state = 'closed'
      await (await opened)?.close()
    },
    openapi: async () => (await import('./app.ts')).describeApi(),
  }
}

/** Heavy modules are imported here, so that importing the package costs almost nothing. */
async function openApi(options: TodoApiOptions, log: () => Promise<Log>): Promise<RunningApi> {
  const [{ loadConfig }, { configuredDatabase, wire }] = await Promise.all([
    import('./config.ts'),
    import('./index.ts'),
  ])
  const { config, secrets } = loadConfig(options.environment)
  return wire({
    config,
    secrets,
    // Safe: Docket logs only through these four methods.
    log: (await log()) as Logger,
    origin: options.origin ?? `http://localhost:${config.port}`,
    open: configuredDatabase(config, secrets),
  })
}

async function openLog({ log, environment }: TodoApiOptions): Promise<Log> {
  if (log !== undefined) return log
  const [{ createLog }, { variables }] = await Promise.all([
    import('./log.ts'),
    import('./config/variables.ts'),
  ])
  // An invalid level keeps the API from opening. The log must still report that.
  const { data: level = 'warn' } = variables.logLevel.schema.safeParse(environment.LOG_LEVEL)
  return (await createLog(level)).log
}

/** The response while the API cannot be opened. Outside production it contains the reason. */
async function refusal(error: unknown, production: boolean): Promise<Response> {
  const [{ AppError, StartError }, { problemUnseen }] = await Promise.all([
    import('./errors.ts'),
    import('./http/answer/problem.ts'),
  ])
  const detail =
    !production && error instanceof StartError ? error.message : 'The API could not start. Its log says why.'
  const { body, ...head } = problemUnseen(
    new AppError('unavailable', detail, { retryAfterSeconds: 1 }),
    production,
  )
  return new Response(body, head)
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
