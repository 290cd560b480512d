import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { z } from 'zod'

export const Order = z.object({
  port: z.int(),
  /** Whole requests as they go over the wire; they take turns. */
  requests: z.array(z.string()).min(1),
  /** With a rate the most there may be, without one as many as there are, each with one request after the other. */
  connections: z.int(),
  /** Requests a second, whether or not there were answers: what cannot be sent is counted. */
  rate: z.number().optional(),
  /** Until it is stopped, when not given. */
  seconds: z.number().optional(),
  /** A new connection for each request. */
  fresh: z.boolean().optional(),
})
export type Order = z.output<typeof Order>

export const Report = z.object({
  seconds: z.number(),
  sent: z.int(),
  /** By status; nothing is sent twice. */
  statuses: z.record(z.string(), z.int()),
  /** Requests without an answer, by what became of their connection. */
  failures: z.record(z.string(), z.int()),
  unanswered: z.int(),
  /** Due and not sent, because every connection there may be was busy. */
  unsent: z.int(),
  /** Of answers of 2xx. */
  p50Ms: z.number(),
  p99Ms: z.number(),
  goodPerSecond: z.array(z.int()),
})
export type Report = z.output<typeof Report>

export type RunningLoad = { stop(): void; readonly report: Promise<Report> }

/** Starts a load in a process of its own. */
export function startLoad(order: Order, signal: AbortSignal): RunningLoad {
  const child = fork(join(import.meta.dirname, 'load-process.ts'), { signal })
  child.send(order)
  return {
    stop: () => void child.send('stop'),
    report: once(child, 'message').then(([message]) => Report.parse(message)),
  }
}

/** A whole request of a caller. */
export function requestText(
  token: string,
  { method, path, body }: { method: string; path: string; body?: string },
  fresh = false,
): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${token}`]
  if (fresh) lines.push('Connection: close')
  if (body !== undefined)
    lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`)
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** What every kind of load tells. */
export type Answers = Pick<Report, 'seconds' | 'statuses' | 'failures' | 'p50Ms' | 'p99Ms'> &
  Partial<Pick<Report, 'unanswered'>>

export const good = ({ statuses }: Pick<Answers, 'statuses'>) =>
  Object.entries(statuses).reduce((sum, [status, count]) => sum + (status.startsWith('2') ? count : 0), 0)

export const perSecond = (report: Answers) => good(report) / report.seconds

/** Statuses and failures on one line. */
export const outcomes = ({ statuses, failures, unanswered = 0 }: Answers) =>
  [
    ...Object.entries(statuses).map(([status, count]) => `${status}: ${count}`),
    ...Object.entries(failures).map(([what, count]) => `${what}: ${count}`),
    ...(unanswered > 0 ? [`unanswered: ${unanswered}`] : []),
  ].join(', ')
