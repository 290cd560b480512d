import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Answer } from './api.ts'

/** A connection on which a test says what no HTTP client would, when none would. */
export type RawSocket = {
  readonly socket: Socket
  /** Sends text as Latin-1: one byte for each character. */
  send(bytes: string | Uint8Array): void
  /** The next answer, an informational one included; rejects when the connection ends without. */
  answer(): Promise<Answer>
  /** Resolves when the connection is gone, with what was received and not asked for by `answer`. */
  readonly ended: Promise<string>
}

/**
 * Only answers that declare their length are understood, which all of ours do. With `staysOpen` it keeps its side of
 * the connection when the server ends the other.
 */
export async function openSocket(url: string, { staysOpen = false } = {}): Promise<RawSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: staysOpen })
  let received = Buffer.alloc(0)
  let gone = false
  socket.on('data', (bytes) => {
    received = Buffer.concat([received, bytes])
    socket.emit('more')
  })
  // A connection that is reset under us is one that ended.
  socket.on('error', () => {})
  const over = () => {
    gone = true
    socket.emit('more')
  }
  socket.on('end', over)
  const ended = new Promise<string>((resolve) => {
    socket.on('close', () => {
      over()
      resolve(received.toString('latin1'))
    })
  })
  await once(socket, 'connect')
  return {
    socket,
    ended,
    send: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    answer: async () => {
      for (;;) {
        const found = firstAnswer(received)
        if (found !== undefined) {
          received = received.subarray(found.length)
          return found.answer
        }
        if (gone) throw new Error(`no answer but "${received.toString('latin1')}"`)
        await once(socket, 'more')
      }
    },
  }
}

function firstAnswer(bytes: Buffer): { answer: Answer; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    }),
  )
  const length = end + 4 + Number(headers.get('content-length') ?? 0)
  if (bytes.length < length) return undefined
  const text = bytes.toString('utf8', end + 4, length)
  const status = Number(statusLine.split(' ')[1])
  return { answer: { status, headers, text, json: () => JSON.parse(text) }, length }
}

/** What the server says to these bytes until it hangs up. Sends nothing after them, and does not hang up itself. */
export async function sayAndHear(url: string, bytes: string | Uint8Array): Promise<Answer[]> {
  const socket = await openSocket(url)
  socket.send(bytes)
  const answers: Answer[] = []
  try {
    for (;;) answers.push(await socket.answer())
  } catch {
    socket.socket.destroy()
    return answers
  }
}
