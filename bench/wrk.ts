import { join } from 'node:path'
import { z } from 'zod'
import { type Commands, isThere } from './commands.ts'
import type { Sample } from './contender.ts'
import { data, type HttpRequest } from './workload.ts'

const script = join(import.meta.dirname, 'load.lua')

/** @throws Error that says how to get it. */
export async function requireWrk(commands: Commands): Promise<string> {
  const version = await isThere(commands, 'wrk', '--version', /^wrk (?:debian\/)?(\S+)/m)
  if (version === undefined)
    throw new Error(
      'wrk is not installed, and without a load there is nothing to measure.\n' +
        'Install it and run this again: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS).',
    )
  return `wrk ${version}`
}

const Report = z.object({
  requests: z.number(),
  durationUs: z.number(),
  p50Us: z.number(),
  p99Us: z.number(),
  refused: z.number(),
  broken: z.number(),
})

export type Load = {
  readonly origin: string
  readonly request: HttpRequest
  /** A file with the token and the name of caller 0, 1, … a line each. */
  readonly callersFile: string
  /** What stands before the six digits of a task's id. */
  readonly idPrefix: string
  readonly connections: number
  readonly seconds: number
}

/**
 * Sends one kind of request over keep-alive connections, each time as another caller, the next when the answer to
 * the last is there. One thread: it sends more than any server here can answer, and two would take from the servers.
 *
 * @throws Error when an answer was not 2xx or 3xx, or a connection failed.
 */
export async function underLoad(commands: Commands, load: Load): Promise<Sample> {
  const { method, path, body } = load.request
  const output = await commands.run('wrk', [
    ...['--threads', '1', '--connections', String(load.connections), '--duration', `${load.seconds}s`],
    ...['--timeout', '10s', '--script', script, load.origin, '--'],
    ...[load.callersFile, method, path, load.idPrefix, String(data.tasksEach)],
    ...(body === undefined ? [] : [body]),
  ])
  const report = Report.parse(JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? 'null'))
  if (report.refused + report.broken > 0)
    throw new Error(
      `${method} ${path}: of ${report.requests} answers ${report.refused} were errors; ${report.broken} connections failed`,
    )
  return {
    requests: report.requests,
    seconds: report.durationUs / 1e6,
    p50Ms: report.p50Us / 1e3,
    p99Ms: report.p99Us / 1e3,
  }
}
