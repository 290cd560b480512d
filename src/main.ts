import type { Logger } from 'pino'
import { banner } from './banner.ts'
import { compileWasmOnce } from './cli/quick-start.ts'
import { loadConfig } from './config.ts'
import { AppError } from './errors.ts'
import { causeOf, record } from './events.ts'
import { problemUnseen } from './http/problem.ts'
import { type Listening, listen } from './http/server.ts'
import { configuredDatabase, type TodoApi, wire } from './index.ts'
import { createLog } from './log.ts'

/** From SIGTERM to the end: requests under way get most of it, the database the rest. */
const drainMs = 8_000
const goodbyeMs = 9_500

/** Within this a signal is an echo of the first. */
const echoMs = 250

/**
 * Runs the server until it is told to stop, and returns the exit code. The first SIGTERM or SIGINT drains; a
 * second one ends the process at once.
 *
 * @throws ConfigError, StartError when it cannot start; then nothing is left open.
 */
export async function start(environment: Record<string, string | undefined>): Promise<number> {
  const { config, secrets } = loadConfig(environment)
  if (config.database.kind === 'embedded') compileWasmOnce()
  const { log, flush } = await createLog(config.logLevel)
  process.on('uncaughtException', (error) => {
    record(log, 'fatal', 'crash', { cause: causeOf(error) })
    flush()
    process.exit(70)
  })

  let api: TodoApi | undefined
  const listening = await listen({
    host: config.host,
    port: config.port,
    production: config.production,
    log,
    fetch: (request, bindings) => api?.fetch(request, bindings) ?? notYet(config.production),
  })
  const origin = originOf(config.host, listening.port)
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
  } catch (error) {
    await listening.close(0)
    throw error
  }
  // Before anyone is told that it is up, and may tell it to stop. Until here a signal just ends the process.
  const told = firstSignal(flush)
  record(log, 'info', 'start', { origin, environment: config.environment })
  if (!config.production) process.stderr.write(banner(origin, config))

  const signal = await told
  record(log, 'info', 'stop', { signal })
  const late = setTimeout(() => {
    record(log, 'warn', 'stop_late', {})
    flush()
    process.exit(0)
  }, goodbyeMs)
  await stop(api, listening, log)
  clearTimeout(late)
  flush()
  return 0
}

async function stop(api: TodoApi, listening: Listening, log: Logger): Promise<void> {
  api.stopServing()
  await listening.close(drainMs)
  await api.close()
  record(log, 'info', 'stopped', {})
}

/**
 * Resolves at the first signal; from then on the next one ends the process with the code a shell expects. One that
 * follows on the heels of the first is the same one: at Ctrl-C a terminal tells us, and npm tells us again.
 */
function firstSignal(flush: () => void): Promise<NodeJS.Signals> {
  let firstAt: number | undefined
  return new Promise((resolve) => {
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ] as const)
      process.on(signal, () => {
        firstAt ??= performance.now()
        if (performance.now() - firstAt < echoMs) return resolve(signal)
        flush()
        process.exit(code)
      })
  })
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
