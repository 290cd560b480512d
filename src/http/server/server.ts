import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, Server as NetServer, Socket } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import type { Logger } from 'pino'
import { AppError } from '../../errors.ts'
import { record } from '../../events.ts'
import { problemUnseen } from '../answer/problem.ts'
import { recordUnseen } from '../gate/request-log.ts'
import { type WireLimits, wireLimits } from '../request/wire-limits.ts'
import { Connections, type Cut } from './connections.ts'
import { notListening } from './not-listening.ts'
import { refusals } from './unreadable.ts'

export type Listening = {
  readonly port: number
  /**
   * Accepts no new connections, lets requests under way finish within `drainMs`, then cuts the rest. The next answer
   * on a kept connection announces that it is the last. A kept connection without a request within `graceMs` is
   * closed.
   */
  close(drainMs: number): Promise<void>
}

export type Fetch = (request: Request, bindings?: Partial<HttpBindings>) => Response | Promise<Response>

type Options = {
  host: string
  port: number
  fetch: Fetch
  production?: boolean
  log: Logger
  /** True if other processes may listen at the same port, and the kernel distributes connections (SO_REUSEPORT). */
  reusePort?: boolean
  /** Overrides of the usual limits. */
  limits?: Partial<WireLimits>
}

/**
 * Serves `fetch` over HTTP/1.1, within the limits of docs/WIRE.md. Any input at any pace gets problem JSON or a closed
 * connection, and always ends.
 *
 * @throws StartError when it cannot listen at the address.
 */
export async function listen(options: Options): Promise<Listening> {
  const limits = { ...wireLimits, ...options.limits }
  const production = options.production ?? false
  const answerUnseen = (error: AppError) => {
    const answer = problemUnseen(error, production)
    recordUnseen(options.log, answer, error)
    return answer
  }
  const listener = getRequestListener(
    (request, bindings) => options.fetch(request, bindings as HttpBindings),
    {
      // HTTP/1.0 allows a request without a host, and no answer depends on it.
      hostname: 'localhost',
      errorHandler: (error) => {
        const { body, headers, status } = answerUnseen(unserved(error))
        return new Response(body, { headers, status })
      },
    },
  )
  const cuts = cutLog(options.log)
  const connections = new Connections(limits, cuts)
  const lastOf = (socket: Socket) => connections.lastOf(socket)
  const { refuse, refuseTunnel } = refusals(answerUnseen, limits.lingerMs, lastOf)
  let draining = false
  const server = createServer(nodeOptions(limits), (request, response) => {
    // Node drops the bytes after a request that asks for an upgrade.
    if (draining || request.headers.upgrade !== undefined) response.setHeader('connection', 'close')
    connections.serve(request, response, () => void listener(request, response))
  })
  server.maxConnections = limits.connections
  server.on('drop', () => cuts('connections'))
  // Some Node versions drop excess headers silently. One extra header gets through, so that the app can refuse it.
  server.maxHeadersCount = limits.headers + 1
  server.timeout = limits.silenceMs
  server.on('clientError', (error, socket) => {
    if (socket instanceof Socket) refuse(error, socket)
  })
  server.on('connect', (_request, socket) => {
    if (socket instanceof Socket) refuseTunnel(socket)
  })
  // An unknown expectation may be ignored (RFC 9110, section 10.1.1). Node would answer 417 without a body.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  const { port, host, reusePort = false } = options
  server.listen({ port, host, reusePort, backlog: limits.backlog })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw notListening(error, options)
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: async (drainMs) => {
      draining = true
      const closed = once(server, 'close')
      if (reusePort && drainMs > 0) await inQuietTurn(() => listenNoMore(server))
      else listenNoMore(server)
      await drain(server, { closed, drainMs, graceMs: Math.min(limits.graceMs, drainMs) })
      connections.close()
    },
  }
}

/** The first cut of each kind is logged at once. Those of the next minute are one line. */
const cutsEveryMs = 60_000

function cutLog(log: Logger): (cut: Cut) => void {
  const counts = new Map<Cut, number>()
  return (cut) => {
    const counted = counts.get(cut)
    if (counted !== undefined) return void counts.set(cut, counted + 1)
    counts.set(cut, 0)
    record(log, 'warn', 'connections_cut', { reason: cut, count: 1 })
    setTimeout(() => {
      const count = counts.get(cut) ?? 0
      counts.delete(cut)
      if (count > 0) record(log, 'warn', 'connections_cut', { reason: cut, count })
    }, cutsEveryMs).unref()
  }
}

function nodeOptions(limits: WireLimits) {
  return {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkEveryMs,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.headerBytes,
    // The app refuses a request without Host, with a body.
    requireHostHeader: false,
  }
}

/** The failure of a request that did not reach the app: a target or Host that makes no URL, or a defect. */
function unserved(error: unknown): AppError {
  return error instanceof Error && error.name === 'RequestError'
    ? new AppError('malformed_request', 'The request target or the Host header cannot be read.', {
        headers: { connection: 'close' },
        reason: 'target_unreadable',
      })
    : new AppError('internal', 'Something went wrong on our side.', { cause: error })
}

/** Node's `close` also closes kept connections, on which a request may be on its way. This one does not. */
function listenNoMore(server: Pick<NetServer, 'close'>): void {
  // Bun's HTTP server is of another class, and has only its own `close`.
  if (server instanceof NetServer) NetServer.prototype.close.call(server)
  else server.close()
}

type Draining = { readonly closed: Promise<unknown>; readonly drainMs: number; readonly graceMs: number }

async function drain(server: Server, { closed, drainMs, graceMs }: Draining): Promise<void> {
  // Applies to connections that are answered from now on.
  server.keepAliveTimeout = graceMs
  const grace = setTimeout(() => server.close(), graceMs)
  const cut = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearTimeout(grace)
  clearTimeout(cut)
  // Makes Node stop its timer for slow connections.
  server.close()
}

/** A turn of the event loop shorter than this many milliseconds had nothing to do. */
const quietMs = 0.03
const quietWithinMs = 500

/**
 * Runs `act` in an idle turn of the event loop, or after half a second. When one of several processes on a port stops,
 * the kernel resets the connections that it has not accepted. In an idle turn there are next to none.
 */
function inQuietTurn(act: () => void): Promise<void> {
  // Each microsecond counts here, so this call compiles the code beforehand.
  listenNoMore(new NetServer())
  const until = performance.now() + quietWithinMs
  return new Promise((resolve) => {
    const turn = (last: number) =>
      setImmediate(() => {
        const now = performance.now()
        if (now - last >= quietMs && now <= until) return turn(performance.now())
        act()
        resolve()
      })
    turn(performance.now())
  })
}
