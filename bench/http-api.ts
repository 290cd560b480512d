import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { treeOf } from './process-usage.ts'
import type { HttpRequests } from './workload.ts'

/** An API that can be started and measured over HTTP. */
export type HttpApi = {
  readonly name: string
  readonly note: string
  readonly command: Command
  /** Answers 200 as soon as it can be measured. */
  readonly readyPath: string
  readonly requests: HttpRequests
  /** What the owner of a number is called there, and what stands before the six digits of a task's id. */
  readonly ownerName: (owner: number) => string
  readonly idPrefix: string
  /** What an owner of a number sends as bearer token, once the API answers at `origin`. */
  readonly tokenOf: (owner: number, origin: string) => Promise<string>
  /** The status of a request for a task without a token; undefined for one that checks none. */
  readonly withoutToken: number | undefined
}

export type Command = {
  readonly program: string
  readonly parameters: readonly string[]
  /** A folder without a `.env`. */
  readonly cwd: string
  /** All of its environment: what is measured depends on nothing else. */
  readonly env: Readonly<Record<string, string>>
}

export type RunningApi = AsyncDisposable & { readonly origin: string; readonly pid: number }

const startTimeoutMs = 30_000
const stopTimeoutMs = 10_000

/**
 * Starts an API as a process of its own whose standard output goes nowhere, or into a new file. On disposal it is asked
 * to stop, and ended with all its children when it does not.
 *
 * @throws Error with what it said when it does not start.
 */
export async function startApi(
  api: Pick<HttpApi, 'name' | 'command' | 'readyPath'>,
  port: number,
  signal: AbortSignal,
  output = devNull,
): Promise<RunningApi> {
  const { program, parameters, cwd, env } = api.command
  const origin = `http://127.0.0.1:${port}`
  const written = openSync(output, 'w')
  const server = spawn(program, parameters, { cwd, stdio: ['ignore', written, 'pipe'], env })
  closeSync(written)
  const ended = new Promise<void>((resolve) => {
    server.once('exit', () => resolve())
    server.once('error', () => resolve())
  })
  const said: string[] = []
  server.on('error', (error) => said.push(error.message))
  server.stderr?.on('data', (chunk: Buffer) => {
    said.push(String(chunk))
    if (said.length > keptChunks) said.shift()
  })
  const stop = () => stopTree(server, ended)
  try {
    await ready(`${origin}${api.readyPath}`, server, signal)
  } catch (error) {
    await stop()
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${api.name} did not start: ${reason}\n${said.join('').slice(-keptCharacters)}`, {
      cause: error,
    })
  }
  return { origin, pid: server.pid ?? 0, [Symbol.asyncDispose]: stop }
}

/** Of what a server wrote to standard error: some log every request there. */
const keptChunks = 100
const keptCharacters = 2_000

async function stopTree(server: ChildProcess, ended: Promise<void>): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return
  const pids = await treeOf(server.pid)
  server.kill('SIGTERM')
  const late = setTimeout(() => {
    for (const pid of pids) end(pid)
  }, stopTimeoutMs)
  await ended
  clearTimeout(late)
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

async function ready(url: string, server: ChildProcess, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + startTimeoutMs
  while (performance.now() < deadline) {
    signal.throwIfAborted()
    if (server.pid === undefined) {
      await once(server, 'error')
      throw new Error('there is no such program')
    }
    if (server.exitCode !== null) throw new Error(`it ended with code ${server.exitCode}`)
    const status = await fetch(url).then(
      (answer) => answer.status,
      () => undefined,
    )
    if (status === 200) return
    await wait(50)
  }
  throw new Error(`it was not ready after ${startTimeoutMs / 1000} s`)
}
