import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** Processor seconds since the process began, user and system together, and bytes of memory it holds now. */
export type ProcessUsage = { readonly cpuSeconds: number; readonly residentBytes: number }

/** Reads `/proc` (proc(5)); undefined where there is none, which is everywhere but on Linux. */
export async function usageOf(pid: number): Promise<ProcessUsage | undefined> {
  const [stat, status] = await Promise.all(
    ['stat', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => undefined)),
  )
  if (stat === undefined || status === undefined) return undefined
  // The second field is the name, in brackets, and may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const residentKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])
  return { cpuSeconds: ticks / ticksPerSecond(), residentBytes: residentKb * 1024 }
}

let ticksASecond: number | undefined

function ticksPerSecond(): number {
  ticksASecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticksASecond
}
