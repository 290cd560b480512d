import { join } from 'node:path'
import { z } from 'zod'
import type { Commands } from '../commands.ts'
import { data, idPrefixOfTasks } from '../workload.ts'
import type { Report } from './load.ts'

const script = join(import.meta.dirname, 'statuses.lua')
const loadScript = join(import.meta.dirname, '..', 'load.lua')

export type Crowd = { readonly seconds: number } & Pick<Report, 'statuses' | 'failures' | 'p50Ms' | 'p99Ms'>

const Crowd = z.object({
  seconds: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  statuses: z.record(z.string(), z.int()),
  failures: z.record(z.string(), z.int()),
})

/**
 * So many clients that ask again at once, whatever the answer was. By `wrk`, which takes so little of the processors
 * that a server on the same machine has too much to do.
 */
export async function crowd(
  commands: Commands,
  options: { port: number; callersFile: string; connections: number; seconds: number },
): Promise<Crowd> {
  const { port, callersFile, connections, seconds } = options
  const output = await commands.run(
    'wrk',
    [
      ...['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`],
      ...['--timeout', '10s', '--script', script, `http://127.0.0.1:${port}`, '--'],
      ...[callersFile, 'GET', '/api/v1/tasks/{id}', idPrefixOfTasks, String(data.tasksEach)],
    ],
    // Nothing but what the script and the search for `wrk` need.
    { cwd: import.meta.dirname, env: { LOAD_LUA: loadScript, PATH: '/usr/local/bin:/usr/bin:/bin' } },
  )
  const { failures, ...rest } = Crowd.parse(JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? 'null'))
  return { ...rest, failures: Object.fromEntries(Object.entries(failures).filter(([, count]) => count > 0)) }
}
