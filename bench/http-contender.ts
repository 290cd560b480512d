import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkApi } from './check-api.ts'
import type { Commands } from './commands.ts'
import type { Contender } from './contender.ts'
import { type HttpApi, startApi } from './http-api.ts'
import { usageOfTree } from './process-usage.ts'
import { data } from './workload.ts'
import { underLoad } from './wrk.ts'

export type Arena = {
  /** Where the file with the callers goes. */
  readonly folder: string
  readonly port: number
  readonly connections: number
  /** Two owners that nobody else uses: their tasks are changed by the check. */
  readonly checked: readonly [owner: number, stranger: number]
}

/**
 * An API under the load of `wrk`, after it was seen to do what is measured and to keep owners apart.
 * @throws Error when it does not start, or fails the check.
 */
export async function openHttpContender(commands: Commands, api: HttpApi, arena: Arena): Promise<Contender> {
  const running = await startApi(api, arena.port, commands.signal)
  try {
    const { origin } = running
    await checkApi(api, origin, arena.checked)
    const callersFile = await writeCallers(api, origin, arena.folder)
    const load = (operation: keyof typeof api.requests, seconds: number) =>
      underLoad(commands, {
        ...{ origin, callersFile, seconds, idPrefix: api.idPrefix, connections: arena.connections },
        request: api.requests[operation],
      })
    return {
      name: api.name,
      note: () => api.note,
      prepare: async (operation, seconds) => {
        await load(operation, seconds)
      },
      measure: async (operation, seconds) => {
        const before = await usageOfTree(running.pid)
        const sample = await load(operation, seconds)
        const after = await usageOfTree(running.pid)
        if (before === undefined || after === undefined) return sample
        return {
          ...sample,
          cpuSeconds: after.cpuSeconds - before.cpuSeconds,
          residentBytes: after.residentBytes,
        }
      },
      [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
    }
  } catch (error) {
    await running[Symbol.asyncDispose]()
    throw error
  }
}

/** @returns a file in the folder with a token and its owner a line, for `load.lua`. */
export async function writeCallers(api: HttpApi, origin: string, folder: string): Promise<string> {
  const file = join(folder, 'callers')
  const callers = Array.from({ length: data.callers }, async (_, owner) => {
    return `${await api.tokenOf(owner, origin)} ${api.ownerName(owner)}\n`
  })
  await writeFile(file, (await Promise.all(callers)).join(''))
  return file
}
