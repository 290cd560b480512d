import { execFileSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'

/** Processor seconds since the process began, user and system together, and bytes of memory it holds now. */
export type ProcessUsage = { readonly cpuSeconds: number; readonly residentBytes: number }

/**
 * A process and all its descendants together; memory they share counts once for each of them. Reads `/proc`
 * (proc(5)); undefined where there is none, which is everywhere but on Linux.
 */
export async function usageOfTree(pid: number): Promise<ProcessUsage | undefined> {
  const usages = await Promise.all((await treeOf(pid)).map(usageOf))
  const there = usages.filter((usage) => usage !== undefined)
  if (there.length === 0) return undefined
  return {
    cpuSeconds: there.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    residentBytes: there.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
  }
}

/** A process and its descendants, parents first. */
export async function treeOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const children = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  )
  const pids = children.flatMap((text) => text.split(' ').filter(Boolean)).map(Number)
  return [pid, ...(await Promise.all(pids.map(treeOf))).flat()]
}

async function usageOf(pid: number): Promise<ProcessUsage | undefined> {
  const [stat, status] = await Promise.all(
    ['stat', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => undefined)),
  )
  if (stat === undefined || status === undefined) return undefined
  // The second field is the name, in brackets, and may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  // A process that has ended and was not waited for has no memory.
  const residentKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
  return { cpuSeconds: ticks / ticksPerSecond(), residentBytes: residentKb * 1024 }
}

/** How many files, sockets and pipes a process has open; undefined where there is no `/proc`. */
export async function descriptorsOf(pid: number): Promise<number | undefined> {
  return readdir(`/proc/${pid}/fd`).then(
    (open) => open.length,
    () => undefined,
  )
}

let ticksASecond: number | undefined

function ticksPerSecond(): number {
  ticksASecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticksASecond
}
