import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { AppError, StartError } from '../errors.ts'
import { problemUnseen } from './problem.ts'
import { refusals } from './unreadable.ts'
import { type WireLimits, wireLimits } from './wire-limits.ts'

export type Listening = {
  readonly port: number
  /** Takes no new connections, lets what is under way finish within `drainMs`, then cuts the rest. */
  close(drainMs: number): Promise<void>
}

export type Fetch = (request: Request, bindings?: Partial<HttpBindings>) => Response | Promise<Response>

type Options = {
  host: string
  port: number
  fetch: Fetch
  production?: boolean
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
  const { expect, refuse, refuseTunnel } = refusals(production, limits.lingerMs)
  const listener = getRequestListener(
    (request, bindings) => options.fetch(request, bindings as HttpBindings),
    {
      // HTTP/1.0 need not name a host, and no answer depends on it.
      hostname: 'localhost',
      errorHandler: (error) => {
        const { body, ...head } = problemUnseen(unserved(error), production)
        return new Response(body, head)
      },
    },
  )
  const server = createServer(nodeOptions(limits), (request, response) => {
    if (!server.listening) response.setHeader('connection', 'close')
    expect(response)
    return listener(request, response)
  })
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
  server.listen(options.port, options.host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw notListening(error, options)
  }
  return { port: (server.address() as AddressInfo).port, close: (drainMs) => drain(server, drainMs) }
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
      })
    : new AppError('internal', 'Something went wrong on our side.')
}

async function drain(server: Server, drainMs: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // A connection that is answered while we wait becomes idle, and would be kept.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const cut = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}

function notListening(error: unknown, { host, port }: { host: string; port: number }): StartError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return new StartError(
      `Port ${port} is taken: stop what uses it, or set PORT to another (0 picks a free one).`,
      69,
      error,
    )
  if (code === 'EACCES')
    return new StartError(`Port ${port} needs more rights: set PORT to one above 1023.`, 69, error)
  return new StartError(`HOST ${host} is no address of this machine: set HOST to one that is.`, 69, error)
}
