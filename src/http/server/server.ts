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
   * Takes no new connections, lets what is under way finish within `drainMs`, then cuts the rest. A kept connection
   * is told with its next answer that it is the last, and hung up on when it asked for nothing within `graceMs`.
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
  /** Whether another process may listen at the same port, and the kernel deals out connections (SO_REUSEPORT). */
  reusePort?: boolean
  /** Where they differ from the usual ones. */
  limits?: Partial<WireLimits>
}

/**
 * Serves `fetch` over HTTP/1.1, within the limits of docs/WIRE.md: whatever comes, in whatever pace, is answered in
 * problem JSON or hung up on, and ends.
 *
 * @throws StartError when the address cannot be listened at.
 */
export async function listen(options: Options): Promise<Listening> {
  const limits = { ...wireLimits, ...options.limits }
  const production = options.production ?? false
  const answerUnseen = (error: AppError) => {
    const answer = problemUnseen(error, production)
    recordUnseen(options.log, answer, error)
    return answer
  }
  const { expect, refuse, refuseTunnel } = refusals(answerUnseen, limits.lingerMs)
  const listener = getRequestListener(
    (request, bindings) => options.fetch(request, bindings as HttpBindings),
    {
      // HTTP/1.0 need not name a host, and no answer depends on it.
      hostname: 'localhost',
      errorHandler: (error) => {
        const { body, headers, status } = answerUnseen(unserved(error))
        return new Response(body, { headers, status })
      },
    },
  )
  const cuts = cutLog(options.log)
  const connections = new Connections(limits, cuts)
  let draining = false
  const server = createServer(nodeOptions(limits), (request, response) => {
    // Node drops the bytes behind a request that asks for an upgrade.
    if (draining || request.headers.upgrade !== undefined) response.setHeader('connection', 'close')
    expect(response)
    connections.serve(request, response, () => void listener(request, response))
  })
  server.maxConnections = limits.connections
  server.on('drop', () => cuts('connections'))
  // Node drops what goes beyond in silence, or not, by version: one more gets through to be refused.
  server.maxHeadersCount = limits.headers + 1
  server.timeout = limits.silenceMs
  server.on('clientError', (error, socket) => {
    if (socket instanceof Socket) refuse(error, socket)
  })
  server.on('connect', (_request, socket) => {
    if (socket instanceof Socket) refuseTunnel(socket)
  })
  // An expectation that is not known may be ignored (RFC 9110, section 10.1.1); Node would answer 417 without a body.
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

/** The first cut of each kind is logged at once; those of the minute after it are one line. */
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
    // A request without Host is refused by the app instead, with a body.
    requireHostHeader: false,
  }
}

/** What kept a request from the app: a target or Host that makes no URL, or a defect. */
function unserved(error: unknown): AppError {
  return error instanceof Error && error.name === 'RequestError'
    ? new AppError('malformed_request', 'The request target or the Host header cannot be read.', {
        headers: { connection: 'close' },
        reason: 'target_unreadable',
      })
    : new AppError('internal', 'Something went wrong on our side.', { cause: error })
}

/** Not what Node's HTTP server does: it also hangs up on kept connections, on which a request may be on its way. */
function listenNoMore(server: Pick<NetServer, 'close'>): void {
  // Bun's HTTP server is of another class, and has its own `close` only.
  if (server instanceof NetServer) NetServer.prototype.close.call(server)
  else server.close()
}

type Draining = { readonly closed: Promise<unknown>; readonly drainMs: number; readonly graceMs: number }

async function drain(server: Server, { closed, drainMs, graceMs }: Draining): Promise<void> {
  // Of those that are answered from now on, for as long as they are kept.
  server.keepAliveTimeout = graceMs
  const grace = setTimeout(() => server.close(), graceMs)
  const cut = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearTimeout(grace)
  clearTimeout(cut)
  // Has Node stop looking for connections that take too long.
  server.close()
}

/** A turn of the event loop that takes no longer had nothing to do, in milliseconds. */
const quietMs = 0.03
const quietWithinMs = 500

/**
 * Does something in a turn of the event loop that brought nothing, or half a second later. A kernel that deals out
 * connections to several processes resets those that wait to be accepted by one that stops: in such a turn there are
 * next to none.
 */
function inQuietTurn(act: () => void): Promise<void> {
  // Each microsecond counts, and what is done for the first time is compiled first.
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
