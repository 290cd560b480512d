import { join } from 'node:path'
import { freePort } from '../../test/support/real-postgres.ts'
import { type Commands, commandsUntil } from '../commands.ts'
import { docketApi } from '../docket.ts'
import { type Command, type RunningApi, startApi } from '../http-api.ts'
import { prepareSite } from '../prepare-site.ts'
import { data, taskId } from '../workload.ts'
import { requestText } from './load.ts'

export type Table = { readonly title: string; readonly rows: readonly Readonly<Record<string, string>>[] }

/** A filled database, callers, and Dockets to start on it. */
export type Stage = {
  readonly commands: Commands
  readonly databaseUrl: string
  /** For whatever is written. */
  readonly folder: string
  readonly tell: (step: string) => void
  /** The tokens of owners 0, 1, … */
  readonly tokens: readonly string[]
  /** Starts a Docket, with settings besides or instead of the usual ones. */
  start(options?: StartOptions): Promise<RunningApi & { readonly port: number }>
  /** How that would be started. */
  command(options: StartOptions & { readonly port: number }): Command
}

export type StartOptions = {
  readonly port?: number
  readonly settings?: Readonly<Record<string, string>>
  readonly parameters?: readonly string[]
  /** The file that takes its log. */
  readonly output?: string
}

const root = join(import.meta.dirname, '..', '..')

export async function openStage(
  opened: AsyncDisposableStack,
  signal: AbortSignal,
  tell: (step: string) => void,
): Promise<Stage> {
  tell('starting Postgres and filling it')
  const commands = commandsUntil(signal)
  const site = await prepareSite(commands, opened, { connections: 32, databaseConnections: 8 })
  const tokens = await Promise.all(Array.from({ length: data.callers }, (_, owner) => site.tokenOf(owner)))
  const apiAt = ({ port, settings = {}, parameters = [] }: StartOptions & { port: number }) => {
    const api = docketApi({ ...site, port, name: 'docket', root })
    const { command } = api
    const env = { ...command.env, ...settings }
    return { ...api, command: { ...command, env, parameters: [...command.parameters, ...parameters] } }
  }
  return {
    ...{ commands, tell, tokens, folder: site.folder, databaseUrl: site.databaseUrl },
    command: (options) => apiAt(options).command,
    start: async (options = {}) => {
      const port = options.port ?? (await freePort())
      return { ...(await startApi(apiAt({ ...options, port }), port, signal, options.output)), port }
    },
  }
}

/** A read of each caller's own. */
export function reads(tokens: readonly string[], fresh = false): string[] {
  return tokens.map((token, owner) => {
    const path = `/api/v1/tasks/${taskId(owner, owner % data.tasksEach)}`
    return requestText(token, { method: 'GET', path }, fresh)
  })
}
