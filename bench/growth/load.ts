import { Agent, type OutgoingHttpHeaders, type RequestOptions, request } from 'node:http'
import type { Caller } from './data.ts'
import type { Operation } from './operations.ts'

/** What callers saw in one round, in milliseconds. */
export type Latency = { readonly requests: number; readonly p50Ms: number; readonly p99Ms: number }

export type Load = {
  readonly port: number
  readonly operation: Operation
  readonly callers: readonly (Caller & { token: string })[]
  /** So many ask at a time, each one request after the other. */
  readonly clients: number
  readonly seconds: number
  readonly signal: AbortSignal
}

/** So many requests of each client go first and are not counted: connections to the database open as they are needed. */
const warmUp = 10

/** @throws Error when any answer is not the expected one: figures with failures among them mean nothing. */
export async function underLoad(load: Load): Promise<Latency> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.clients })
  try {
    const begin = Promise.withResolvers<void>()
    let warm = 0
    const times = await Promise.all(
      Array.from({ length: load.clients }, async (_, client) => {
        const turn = turns(load, client)
        for (let i = 0; i < warmUp; i++) await turn(agent)
        if (++warm === load.clients) begin.resolve()
        await begin.promise
        const mine: number[] = []
        const until = performance.now() + load.seconds * 1000
        while (performance.now() < until) mine.push(await turn(agent))
        return mine
      }),
    )
    return latencyOf(times.flat())
  } finally {
    agent.destroy()
  }
}

export function latencyOf(times: readonly number[]): Latency {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { requests: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** One client: its callers take turns; each call answers how long it took, in milliseconds. */
function turns(load: Load, client: number): (agent: Agent) => Promise<number> {
  const { callers, clients } = load
  let next = Math.floor((client * callers.length) / clients)
  return (agent) => {
    const caller = callers[next++ % callers.length]
    if (caller === undefined) throw new Error('nobody calls')
    return ask({ ...load, caller, agent })
  }
}

type Call = Pick<Load, 'port' | 'operation' | 'signal'> & { caller: Caller & { token: string }; agent: Agent }

/** One request, and how long it took, in milliseconds. @throws Error when the answer is not the expected one. */
export async function ask({ port, operation, signal, caller, agent }: Call): Promise<number> {
  signal.throwIfAborted()
  const { method, body, status } = operation
  const headers: OutgoingHttpHeaders = { authorization: `Bearer ${caller.token}` }
  if (body !== undefined) {
    headers['content-type'] = 'application/json'
    headers['content-length'] = Buffer.byteLength(body)
  }
  const path = operation.path(caller)
  const began = performance.now()
  const answer = await exchange({ host: '127.0.0.1', port, agent, method, path, headers }, body)
  const took = performance.now() - began
  if (answer.status !== status) throw new Error(`${operation.name}: ${answer.status} ${answer.text}`)
  return took
}

function exchange(options: RequestOptions, body = ''): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(options, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: String(Buffer.concat(chunks)) }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
