import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Answer } from './api.ts'

export type RawAnswer = Answer & {
  /** Head and body as they came. */
  readonly raw: string
}

/** One connection for request after request, byte for byte as given. */
export type RawConnection = {
  /** Sends one request and reads its answer, which has to declare its length. A new connection when the last was closed. */
  exchange(request: string): Promise<RawAnswer>
  /** Sends all of them before any answer is read (RFC 9112, section 9.3.2), each of which has to keep the connection. */
  pipeline(requests: readonly string[]): Promise<RawAnswer[]>
  /** Connections made so far. */
  readonly opened: () => number
  close(): void
}

type Line = { readonly socket: Socket; readonly chunks: AsyncIterator<Buffer>; received: Buffer }

/** Requests are given as Latin-1, one character a byte. */
export function openRawConnection(url: string): RawConnection {
  const { hostname, port } = new URL(url)
  let line: Line | undefined
  let opened = 0

  async function open(): Promise<Line> {
    const socket = connect(Number(port), hostname)
    opened += 1
    await once(socket, 'connect')
    return { socket, chunks: socket[Symbol.asyncIterator](), received: Buffer.alloc(0) }
  }

  return {
    exchange: async (request) => {
      line ??= await open()
      line.socket.write(Buffer.from(request, 'latin1'))
      const answer = await readAnswer(line, request.startsWith('HEAD '))
      if (answer.headers.get('connection') === 'close') {
        line.socket.destroy()
        line = undefined
      }
      return answer
    },
    pipeline: async (requests) => {
      line ??= await open()
      line.socket.write(Buffer.from(requests.join(''), 'latin1'))
      const answers: RawAnswer[] = []
      while (answers.length < requests.length) answers.push(await readAnswer(line))
      return answers
    },
    opened: () => opened,
    close: () => line?.socket.destroy(),
  }
}

async function readAnswer(line: Line, bodiless = false): Promise<RawAnswer> {
  const endOfHead = () => line.received.indexOf('\r\n\r\n')
  while (endOfHead() < 0) await more(line)
  const end = endOfHead()
  const [statusLine = '', ...lines] = line.received.toString('latin1', 0, end).split('\r\n')
  const headers = new Headers(lines.map((each): [string, string] => splitOnce(each)))
  const length = end + 4 + (bodiless ? 0 : Number(headers.get('content-length') ?? 0))
  while (line.received.length < length) await more(line)
  const raw = line.received.toString('utf8', 0, length)
  const text = line.received.toString('utf8', end + 4, length)
  line.received = line.received.subarray(length)
  return { status: Number(statusLine.split(' ')[1]), headers, text, raw, json: () => JSON.parse(text) }
}

async function more(line: Line): Promise<void> {
  const { done, value } = await line.chunks.next()
  if (done) throw new Error('the server hung up in the middle of an answer')
  line.received = Buffer.concat([line.received, value])
}

function splitOnce(header: string): [string, string] {
  const colon = header.indexOf(':')
  return [header.slice(0, colon), header.slice(colon + 1).trim()]
}
