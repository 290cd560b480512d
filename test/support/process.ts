import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export type Environment = Readonly<Record<string, string>>

/** How a process ended: by itself with a code, or by a signal. */
export type End = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** A child process and all it has said so far. */
export type Running = {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** What stands on standard output as JSON, a value a line. */
  readonly lines: () => Record<string, unknown>[]
  /** Resolves with the match once standard output and error together hold it; rejects when the process ends before. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly ended: Promise<End>
}

export type Docket = Running & { readonly url: string }

export const root = fileURLToPath(new URL('../../', import.meta.url))
const cli = join(root, 'src/cli.ts')

const children = new Set<ChildProcess>()
const folders = new Set<string>()
const outputs: (() => string)[] = []
const secrets = new Set<string>()

/** A value that no output may hold. */
export function secret(value: string): string {
  secrets.add(value)
  return value
}

/** Which secrets stand in what any process of this test file has written; the positions, not the values. */
export function leaks(): string[] {
  const said = outputs.map((output) => output()).join('')
  return [...secrets].flatMap((value, index) => {
    const at = said.indexOf(value)
    return at === -1 ? [] : [`secret ${index} after ${JSON.stringify(said.slice(Math.max(0, at - 60), at))}`]
  })
}

/** Ends what is still running and removes every folder; for `afterAll`. */
export async function cleanUp(): Promise<void> {
  const running = [...children].filter((child) => child.exitCode === null && child.signalCode === null)
  await Promise.all(
    running.map((child) => {
      child.kill('SIGKILL')
      return once(child, 'exit')
    }),
  )
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
}

export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'docket-process-'))
  folders.add(folder)
  return folder
}

/** A copy of a data folder that no process holds, so that not every test pays for a first start. */
export async function copyOf(dataDir: string): Promise<string> {
  const copy = await newFolder()
  await cp(dataDir, copy, { recursive: true })
  return copy
}

export type RunOptions = {
  /** Nothing else is inherited but PATH. */
  environment?: Environment
  /** Flags of Node itself. */
  nodeFlags?: readonly string[]
  /** The output is a token and may be one. */
  printsSecret?: boolean
}

/** Runs the real command as its user does, in an empty folder, so that nobody's `.env` takes part. */
export async function docket(args: readonly string[], options: RunOptions = {}): Promise<Running> {
  return run(process.execPath, [...(options.nodeFlags ?? []), cli, ...args], {
    ...options,
    folder: await newFolder(),
  })
}

/** Any command, with nothing of our own environment but PATH. */
export function run(
  command: string,
  args: readonly string[],
  { environment = {}, folder, printsSecret = false }: RunOptions & { folder: string },
): Running {
  const env = { PATH: process.env.PATH ?? '', ...environment }
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const said = { stdout: '', stderr: '' }
  const heard = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      said[name] += chunk
      for (const listener of heard) listener()
    })
  outputs.push(() => (printsSecret ? said.stderr : said.stdout + said.stderr))
  // `close` comes when the pipes are read to their end.
  const ended: Promise<End> = once(child, 'close').then(() => ({
    code: child.exitCode,
    signal: child.signalCode,
  }))

  const says = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(`${said.stdout}\n${said.stderr}`)
        if (match === null) return
        heard.delete(look)
        resolve(match)
      }
      heard.add(look)
      look()
      ended.then(
        (end) =>
          reject(
            new Error(`It ended without ${pattern}: ${JSON.stringify(end)}\n${said.stdout}${said.stderr}`),
          ),
        reject,
      )
    })
  return {
    pid: child.pid ?? Number.NaN,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    lines: () =>
      said.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line))),
    says,
    kill: (signal) => void child.kill(signal),
    ended,
  }
}

/** Starts a server on a free port and resolves when it says that it listens. */
export async function startDocket(environment: Environment, options: RunOptions = {}): Promise<Docket> {
  const running = await docket(['start'], { ...options, environment: { PORT: '0', ...environment } })
  const [, url = ''] = await running.says(/"event":"start","origin":"([^"]+)".*\n/)
  return { ...running, url }
}

/** Starts, and stops at once, a first server on a new folder: a data folder to copy. */
export async function preparedFolder(): Promise<string> {
  const folder = await newFolder()
  const first = await startDocket({ DATA_DIR: folder })
  first.kill('SIGTERM')
  await first.ended
  return folder
}

const Session = z.object({ token: z.string() })

/** A JWT of a user of the built-in issuer, who is signed up, or in when there already is one of that name. */
export async function tokenOf(url: string, name: string): Promise<string> {
  const password = secret('correct horse battery')
  const body = JSON.stringify({ name, email: `${name}@example.com`, password })
  const headers = { 'content-type': 'application/json', origin: url }
  const send = (what: string) => fetch(`${url}/api/auth/${what}/email`, { method: 'POST', headers, body })
  const signedUp = await send('sign-up')
  const answer = signedUp.ok ? signedUp : await send('sign-in')
  const session = secret(Session.parse(await answer.json()).token)
  const issued = await fetch(`${url}/api/auth/token`, { headers: { authorization: `Bearer ${session}` } })
  return secret(Session.parse(await issued.json()).token)
}

const Task = z.object({ id: z.string(), title: z.string(), owner_id: z.string() })

export async function createTask(url: string, token: string, title: string) {
  const response = await fetch(`${url}/api/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ title }),
  })
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`)
  return Task.parse(await response.json())
}

export async function listTasks(url: string, token: string) {
  const response = await fetch(`${url}/api/v1/tasks`, { headers: { authorization: `Bearer ${token}` } })
  return z.array(Task).parse(await response.json())
}
