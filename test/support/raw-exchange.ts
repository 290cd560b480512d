import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Answer } from './api.ts'

/**
 * Sends bytes that no HTTP client would, and reads until the server hangs up: send `Connection: close`, or what it
 * refuses. Only answers that declare their length are understood, which all of ours do.
 */
export async function rawExchange(url: string, request: string): Promise<Answer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(Buffer.from(request, 'latin1'))
  const [head = '', ...rest] = (await text(socket)).split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    }),
  )
  const body = rest.join('\r\n\r\n')
  return { status: Number(statusLine.split(' ')[1]), headers, text: body, json: () => JSON.parse(body) }
}
