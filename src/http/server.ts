import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { AppError, StartError } from '../errors.ts'
import { problemBody, problemKinds } from './problem.ts'
import { everyResponse } from './respond.ts'

/** Time-outs and sizes of the wire. Node looks at the first two only every `connectionsCheckingInterval`. */
const wire = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
  // A request without Host is refused below instead, with a body.
  requireHostHeader: false,
} as const

export type Listening = {
  readonly port: number
  /** Takes no new connections, lets what is under way finish within `drainMs`, then cuts the rest. */
  close(drainMs: number): Promise<void>
}

export type Fetch = (request: Request, bindings: Partial<HttpBindings>) => Response | Promise<Response>

/**
 * Serves `fetch` over HTTP/1.1.
 * @throws StartError when the address cannot be listened at.
 */
export async function listen(options: { host: string; port: number; fetch: Fetch }): Promise<Listening> {
  const errorHandler = (error: unknown) => {
    const unreadable = error instanceof Error && error.name === 'RequestError'
    const { body, ...head } = refusal(
      unreadable
        ? new AppError('malformed_request', 'The request target or the Host header cannot be read.')
        : new AppError('internal', 'Something went wrong on our side.'),
    )
    return new Response(body, head)
  }
  const listener = getRequestListener(
    (request, bindings) => options.fetch(request, bindings as HttpBindings),
    {
      errorHandler,
    },
  )
  const server = createServer(wire, (request, response) => {
    if (!server.listening) response.setHeader('connection', 'close')
    return listener(request, response)
  })
  server.maxHeadersCount = 100
  server.on('clientError', answerUnreadable)
  server.listen(options.port, options.host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw notListening(error, options)
  }
  return { port: (server.address() as AddressInfo).port, close: (drainMs) => drain(server, drainMs) }
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

/** What Node's parser could not read never reaches the app: the answer is written on the socket itself. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const detail =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'The headers are too large.'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'The request took too long to arrive.'
        : 'The request is not valid HTTP/1.1.'
  const { status, headers, body } = refusal(new AppError('malformed_request', detail))
  const head = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  })
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...head.map(([name, value]) => `${name}: ${value}`),
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** The whole answer to what the app never got to see, under an id of ours and with the headers of every response. */
function refusal(error: AppError) {
  const requestId = randomUUID()
  return {
    status: problemKinds[error.code].status,
    headers: { 'content-type': 'application/problem+json', ...everyResponse(requestId) },
    body: problemBody(error, requestId),
  }
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
