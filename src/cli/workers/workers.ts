import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import type { Logger } from 'pino'
import { type Config, loadConfig } from '../../config.ts'
import { StartError } from '../../errors.ts'
import { record } from '../../events.ts'
import { notListening } from '../../http/server/not-listening.ts'
import { createLog } from '../../log.ts'
import { announce } from '../announce.ts'
import { firstSignal } from '../signals.ts'
import { type End, NotStarted, WorkerGroup } from './worker-group.ts'

/**
 * The number of processes that `--workers` asks for.
 * @throws StartError with code 2.
 */
export function workerCount(text: string): number {
  const cores = availableParallelism()
  if (text === 'auto') return cores
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= cores) return count
  const range = cores === 1 ? '1, as this machine has one core,' : `1 to ${cores}, the cores of this machine,`
  throw new StartError(`--workers takes ${range} or auto.`, 2)
}

/**
 * Runs `count` servers behind one port until a signal stops it, and returns the exit code. A server that ends is
 * replaced. SIGTERM and SIGINT drain all servers; a second one ends them at once. SIGHUP replaces the servers one by
 * one, while the port stays open.
 *
 * @throws ConfigError, StartError when they cannot start; the first server has reported the reason.
 */
export async function startWorkers(
  count: number,
  environment: Record<string, string | undefined>,
): Promise<number> {
  const { config } = loadConfig(environment)
  refuseImpossible(config)
  const { log, flush } = await createLog(config.logLevel)
  cluster.setupPrimary({ args: ['start'] })
  const port = config.reusePort ? config.port : await freePort(config)
  const workers = new WorkerGroup(count, port, {
    lost: (end) => record(log, 'error', 'worker_lost', end),
    back: () => record(log, 'info', 'worker_back', {}),
  })
  const told = firstSignal(() => {
    workers.kill()
    flush()
  })
  try {
    const origin = await Promise.race([workers.open(), told.then(() => undefined)])
    if (origin !== undefined) announce(log, origin, config)
  } catch (error) {
    if (!(error instanceof NotStarted)) throw error
    await workers.close()
    return exitCodeOf(error.end)
  }
  // On a terminal, SIGHUP means that the terminal closed, so the process should end.
  if (!process.stdout.isTTY) process.on('SIGHUP', () => void reload(workers, log))

  const outcome = await Promise.race([told, workers.failed])
  if (typeof outcome === 'string') record(log, 'info', 'stop', { signal: outcome })
  const code = await workers.close()
  record(log, 'info', 'stopped', {})
  flush()
  return typeof outcome === 'string' ? code : exitCodeOf(outcome)
}

async function reload(workers: WorkerGroup, log: Logger): Promise<void> {
  try {
    record(log, 'info', 'reload', { workers: await workers.reload() })
  } catch (error) {
    if (!(error instanceof NotStarted)) throw error
    record(log, 'error', 'reload_failed', error.end)
  }
}

function refuseImpossible(config: Config): void {
  if (config.database.kind === 'embedded')
    throw new StartError(
      'The embedded database is for one process: set DATABASE_URL to a Postgres, or leave --workers out.',
      78,
    )
  if (config.reusePort && config.port === 0)
    throw new StartError(
      'With REUSE_PORT each worker opens the port itself: set PORT to other than 0, or leave REUSE_PORT out.',
      78,
    )
}

/**
 * A port to listen at. It is free, or was a moment ago.
 * @throws StartError when it is not.
 */
async function freePort({ host, port }: Config): Promise<number> {
  const probe = createServer().listen(port, host)
  try {
    await once(probe, 'listening')
  } catch (error) {
    throw notListening(error, { host, port })
  }
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return address === null || typeof address === 'string' ? port : address.port
}

const exitCodeOf = ({ code }: End) => (code === undefined || code === 0 ? 70 : code)
