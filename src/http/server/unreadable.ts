import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { AppError } from '../../errors.ts'
import type { problemUnseen } from '../answer/problem.ts'

type Refusals = {
  /** For `clientError`: sends the fault after the answers still due on the connection, then closes it. */
  refuse(error: NodeJS.ErrnoException, socket: Socket): void
  /** For `connect`, where Node hands over the bare socket. The server opens no tunnels. */
  refuseTunnel(socket: Socket): void
}

/** Makes the answer to a request that the app never sees, and logs it like every answer. */
export type Unseen = (error: AppError) => ReturnType<typeof problemUnseen>

/**
 * Answers requests that Node's parser could not read, and that the app never sees: in problem JSON, on the socket
 * itself.
 */
export function refusals(
  answerUnseen: Unseen,
  lingerMs: number,
  lastOf: (socket: Socket) => ServerResponse | undefined,
): Refusals {
  const refused = new WeakSet<Socket>()

  const write = (socket: Socket, why: Why) => {
    if (!socket.writable) return void socket.destroy()
    socket.end(bytesOf(answerUnseen(new AppError('malformed_request', details[why], { reason: why }))))
    // Closing at once would reset the connection while the answer is still being sent.
    const cut = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => clearTimeout(cut))
  }

  return {
    refuse(error, socket) {
      if (refused.has(socket)) return
      refused.add(socket)
      // A connection that never sent anything gets no answer.
      if (error.code === 'ECONNRESET' || socket.bytesRead === 0) return void socket.destroy()
      const why = whyOf(error)
      const last = lastOf(socket)
      const inBody = last !== undefined && !last.req.complete
      // The request with this body is already answered, or waits behind others. There is no place for another answer.
      if (inBody && (last.headersSent || last.socket === null)) return void socket.destroy()
      if (last === undefined || inBody || last.writableFinished) return write(socket, why)
      last.once('close', () => write(socket, why))
    },
    refuseTunnel(socket) {
      socket.on('error', () => socket.destroy())
      write(socket, 'tunnel')
    },
  }
}

/** By the reason in the log. */
const details = {
  headers_too_large: 'The headers are too large, or too many.',
  too_slow: 'The request took too long to arrive.',
  not_http: 'The request is not valid HTTP/1.1.',
  tunnel: 'This server opens no tunnels: ask for a path.',
} as const

type Why = keyof typeof details

function whyOf({ code }: NodeJS.ErrnoException): Why {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'too_slow' : 'not_http'
}

function bytesOf({ status, headers, body }: ReturnType<Unseen>): string {
  const head = Object.entries({
    ...headers,
    'content-length': Buffer.byteLength(body),
    date: new Date().toUTCString(),
    connection: 'close',
  })
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...head.map(([name, value]) => `${name}: ${value}`),
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
