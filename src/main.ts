import { announce } from './cli/announce.ts'
import { compileWasmOnce } from './cli/quick-start.ts'
import { firstSignal } from './cli/signals.ts'
import { loadConfig } from './config.ts'
import { AppError } from './errors.ts'
import { causeOf, record } from './events.ts'
import { problemUnseen } from './http/answer/problem.ts'
import { listen } from './http/server/server.ts'
import { configuredDatabase, type TodoApi, wire } from './index.ts'
import { createLog } from './log.ts'

/** Time from SIGTERM to the end. Requests under way get most of it, the database the rest. */
const drainMs = 8_000
const goodbyeMs = 9_500

/** The process that started this one as a worker, and passes it connections. */
export type Primary = {
  ready(origin: string): void
  /** Resolves when no connection is on its way to this process. The process must have stopped listening. */
  parted(): Promise<void>
}

/**
 * Runs the server until a signal stops it, and returns the exit code. The first SIGTERM or SIGINT drains; a second one
 * ends the process at once. A worker announces readiness to `primary` only, not to a person or the log. For a worker,
 * `primary` decides when to end it at once.
 *
 * @throws ConfigError, StartError when it cannot start; then nothing is left open.
 */
export async function start(
  environment: Record<string, string | undefined>,
  primary?: Primary,
): Promise<number> {
  const { config, secrets } = loadConfig(environment)
  if (config.database.kind === 'embedded') compileWasmOnce()
  const { log, flush } = await createLog(config.logLevel, { shared: primary !== undefined })
  process.on('uncaughtException', (error) => {
    record(log, 'fatal', 'crash', { cause: causeOf(error) })
    flush()
    process.exit(70)
  })

  let api: TodoApi | undefined
  const serve = () =>
    listen({
      host: config.host,
      port: config.port,
      production: config.production,
      reusePort: config.reusePort,
      log,
      fetch: (request, bindings) => api?.fetch(request, bindings) ?? notYet(config.production),
    })
  // Listening first finds a taken port before anything is made. On a shared port it comes last: until this process is
  // ready, the other processes serve the requests.
  const shared = config.port !== 0 && (config.reusePort || primary !== undefined)
  let listening = shared ? undefined : await serve()
  const origin = originOf(config.host, listening?.port ?? config.port)
  const onFirstStart = () => {
    process.stderr.write(`Making the embedded database in ${config.dataDir} (once, a few seconds) ...\n`)
  }
  try {
    api = await wire({
      config,
      secrets,
      log,
      origin,
      open: configuredDatabase(config, secrets, onFirstStart),
    })
    listening ??= await serve()
  } catch (error) {
    await listening?.close(0)
    await api?.close()
    throw error
  }
  // Installed before the announcement, because a signal may follow it. Until here a signal just ends the process.
  const told = firstSignal(primary === undefined ? flush : undefined)
  if (primary !== undefined) primary.ready(origin)
  else announce(log, origin, config)

  const signal = await told
  if (primary === undefined) record(log, 'info', 'stop', { signal })
  const late = setTimeout(() => {
    record(log, 'warn', 'stop_late', {})
    flush()
    process.exit(0)
  }, goodbyeMs)
  api.stopServing()
  await listening.close(drainMs)
  await primary?.parted()
  await api.close()
  if (primary === undefined) record(log, 'info', 'stopped', {})
  clearTimeout(late)
  flush()
  return 0
}

/** The response between listening and being ready. */
function notYet(production: boolean): Response {
  const error = new AppError('unavailable', 'The server is starting; try again in a moment.', {
    retryAfterSeconds: 1,
  })
  const { body, headers, status } = problemUnseen(error, production)
  return new Response(body, { headers, status })
}

function originOf(host: string, port: number): string {
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}
