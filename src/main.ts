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

/** From SIGTERM to the end: requests under way get most of it, the database the rest. */
const drainMs = 8_000
const goodbyeMs = 9_500

/** Who started this process as one of several, and hands it connections. */
export type Primary = {
  ready(origin: string): void
  /** Resolves when no connection is on its way to this process any more; it must listen no longer. */
  parted(): Promise<void>
}

/**
 * Runs the server until it is told to stop, and returns the exit code. The first SIGTERM or SIGINT drains; a
 * second one ends the process at once. A worker tells `primary` that it is ready, instead of a person and the log,
 * and leaves it to that one to lose patience.
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
  // First, to find a port that is taken before anything is made; but what comes to a port that others serve as well
  // is for them until this one can serve it.
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
  // Before anyone is told that it is up, and may tell it to stop. Until here a signal just ends the process.
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

/** What is answered between listening and being ready. */
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
