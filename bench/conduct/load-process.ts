/**
 * The load of one kind, in a process of its own so that it takes no turn from whoever measures. Told what to do by
 * the first message of its parent; ends with a report when the time is over or the parent says `stop`.
 */
import { connect, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { Order, type Report } from './load.ts'

type Client = {
  readonly socket: Socket
  /** The beginning of an answer, until its head is whole. */
  begun: Buffer | undefined
  answer: Answer | undefined
  sentAt: number
  broken: string | undefined
}

/** An answer of which so many bytes are still to come. */
type Answer = { readonly status: string; readonly last: boolean; missing: number }

/** Between two looks at how many requests are due. */
const tickMs = 2
/** How long answers are waited for at the end. */
const lastAnswersMs = 10_000
/** After a connection failed, until the next is tried. */
const retryMs = 5

function work(order: Order): { stop(): void; report: Promise<Report> } {
  const { connections, rate, fresh, port } = order
  const statuses: Record<string, number> = {}
  const failures: Record<string, number> = {}
  const latencies = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 })
  const goodPerSecond: number[] = []
  const requests = order.requests.map((text) => Buffer.from(text))
  const open = new Set<Client>()
  const idle: Client[] = []
  const began = performance.now()
  const done = Promise.withResolvers<Report>()
  let opening = 0
  let inFlight = 0
  let turn = 0
  let unsent = 0
  let sent = 0
  let stopped = false

  const count = (counts: Record<string, number>, key: string) => {
    counts[key] = (counts[key] ?? 0) + 1
  }
  const send = (client: Client, now: number) => {
    inFlight++
    sent++
    client.sentAt = now
    client.socket.write(requests[turn++ % requests.length] ?? '')
  }
  const next = (client: Client) => {
    if (stopped || fresh) return void client.socket.destroy()
    if (rate === undefined) send(client, performance.now())
    else idle.push(client)
  }
  const answered = (client: Client, status: string, last: boolean) => {
    const now = performance.now()
    inFlight--
    count(statuses, status)
    if (/^2/.test(status)) {
      latencies.record(Math.max(1, Math.round((now - client.sentAt) * 1_000)))
      const second = Math.floor((now - began) / 1_000)
      goodPerSecond[second] = (goodPerSecond[second] ?? 0) + 1
    }
    client.sentAt = 0
    if (last) client.socket.destroy()
    else next(client)
  }
  const dial = (first: boolean) => {
    opening++
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const client: Client = { socket, begun: undefined, answer: undefined, sentAt: 0, broken: undefined }
    socket.once('connect', () => {
      opening--
      open.add(client)
      if (stopped) socket.destroy()
      else if (first || rate === undefined) send(client, performance.now())
      else idle.push(client)
    })
    socket.on('data', (chunk) => {
      if (client.answer === undefined) {
        client.begun = client.begun === undefined ? chunk : Buffer.concat([client.begun, chunk])
        client.answer = beginningOf(client.begun)
        if (client.answer === undefined) return
        client.begun = undefined
      } else {
        client.answer.missing -= chunk.length
      }
      const { missing, status, last } = client.answer
      if (missing > 0) return
      client.answer = undefined
      answered(client, status, last)
    })
    socket.on('error', (error) => {
      client.broken = 'code' in error ? String(error.code) : error.message
    })
    socket.on('close', () => {
      const connected = open.delete(client)
      if (!connected) opening--
      const at = idle.indexOf(client)
      if (at >= 0) idle.splice(at, 1)
      if (client.sentAt > 0) inFlight--
      if (!connected || client.sentAt > 0) count(failures, client.broken ?? 'hung up')
      if (stopped || rate !== undefined) return
      if (client.broken === undefined) dial(true)
      else setTimeout(() => stopped || dial(true), retryMs)
    })
  }

  if (rate === undefined) for (let i = 0; i < connections; i++) dial(true)
  let due = 0
  let lastTick = began
  const ticking = setInterval(() => {
    const now = performance.now()
    due += ((rate ?? 0) * (now - lastTick)) / 1_000
    lastTick = now
    for (; due >= 1; due--) {
      const client = idle.pop()
      if (client !== undefined) send(client, now)
      else if (open.size + opening < connections) dial(true)
      else unsent++
    }
  }, tickMs)

  const stop = () => {
    if (stopped) return
    stopped = true
    clearInterval(ticking)
    const seconds = (performance.now() - began) / 1_000
    const until = performance.now() + lastAnswersMs
    const last = setInterval(() => {
      if (inFlight > 0 && performance.now() < until) return
      clearInterval(last)
      for (const { socket } of open) socket.destroy()
      done.resolve({
        ...{ seconds, statuses, failures, unsent, sent, unanswered: inFlight },
        p50Ms: latencies.percentile(50) / 1_000,
        p99Ms: latencies.percentile(99) / 1_000,
        goodPerSecond: Array.from(goodPerSecond, (good) => good ?? 0),
      })
    }, 10)
  }
  if (order.seconds !== undefined) setTimeout(stop, order.seconds * 1_000)
  return { stop, report: done.promise }
}

/** The answer that begins with what was received, once its head is whole. Ours all say how long they are. */
function beginningOf(received: Buffer): Answer | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = received.toString('latin1', 0, end)
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
  const missing = end + 4 + length - received.length
  return { status: head.slice(9, 12), last: /\r\nconnection: close/i.test(head), missing }
}

process.once('message', (message) => {
  const working = work(Order.parse(message))
  process.once('message', () => working.stop())
  void working.report.then((report) => process.send?.(report, () => process.disconnect()))
})
