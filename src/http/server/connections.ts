import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { WireLimits } from '../request/wire-limits.ts'

/** The reasons to close a connection without an answer. */
export type Cut = 'connections' | 'pipelined' | 'slow_reader'

type Waiting = { readonly response: ServerResponse; readonly start: () => void }

type State = {
  /** The latest response that was started. */
  current: ServerResponse | undefined
  /** Requests that wait behind it, in order. */
  waiting: Waiting[]
  /** The response with a read deadline; `deadline` is in `performance.now()` milliseconds. */
  timed: ServerResponse | undefined
  deadline: number
}

/**
 * Answers the requests of a connection one after the other, so that only one response waits in memory for its reader.
 * A connection with many unanswered requests is paused. It is closed when one piece of data brought too many. A
 * response that is read too slowly is cut.
 *
 * A single request costs two comparisons. Further ones wait in a list.
 */
export class Connections {
  readonly #limits: WireLimits
  readonly #onCut: (cut: Cut) => void
  readonly #open = new Map<Socket, State>()
  readonly #sweep: NodeJS.Timeout
  #waiting = 0

  constructor(limits: WireLimits, onCut: (cut: Cut) => void) {
    this.#limits = limits
    this.#onCut = onCut
    this.#sweep = setInterval(() => this.sweep(performance.now()), limits.checkEveryMs).unref()
  }

  /** Calls `start` when the earlier responses are sent. */
  serve(request: IncomingMessage, response: ServerResponse, start: () => void): void {
    const { socket } = request
    // The parser still finishes the piece of data that closed the connection.
    if (socket.destroyed) return
    const state = this.#open.get(socket) ?? this.#add(socket)
    const { current, waiting } = state
    if (waiting.length === 0 && (current === undefined || current.writableFinished)) {
      state.current = response
      start()
      return
    }
    const { pipelined, pipelinedInAll, pipelinedRead } = this.#limits
    const body = bodyOf(request)
    // Node keeps each chunk of a body that nobody reads as an object of its own, however short it is.
    if (waiting.length >= pipelined || this.#waiting >= pipelinedInAll || body === 'chunked') {
      this.#cut(socket, 'pipelined')
      return
    }
    this.#waiting++
    if (waiting.push({ response, start }) === 1) current?.once('close', () => this.#next(socket, state))
    // Node resumes reading after each request it parses, so the pause must come after this piece.
    if (waiting.length === pipelinedRead || body === 'sized') process.nextTick(() => socket.pause())
  }

  /** Closes connections whose response is read too slowly. A timer calls it. */
  sweep(now: number): void {
    for (const [socket, state] of this.#open) {
      const { current } = state
      // A kept connection keeps no headers of its last request.
      if (current?.writableFinished && current.req.complete) state.current = state.timed = undefined
      if (current === undefined || !current.headersSent || current.writableFinished) continue
      if (state.timed !== current) {
        state.timed = current
        state.deadline = now + this.#limits.answerMs + (1000 * socket.writableLength) / this.#limits.leastRate
      } else if (now > state.deadline) this.#cut(socket, 'slow_reader')
    }
  }

  /** The response that a connection is to get last, unless it was sent. */
  lastOf(socket: Socket): ServerResponse | undefined {
    const state = this.#open.get(socket)
    return state?.waiting.at(-1)?.response ?? state?.current
  }

  close(): void {
    clearInterval(this.#sweep)
  }

  #add(socket: Socket): State {
    const state: State = { current: undefined, waiting: [], timed: undefined, deadline: 0 }
    this.#open.set(socket, state)
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#waiting -= state.waiting.length
      state.waiting = []
    })
    return state
  }

  #next(socket: Socket, state: State): void {
    const next = socket.destroyed ? undefined : state.waiting.shift()
    if (next === undefined) return
    this.#waiting--
    state.current = next.response
    if (state.waiting.length > 0) next.response.once('close', () => this.#next(socket, state))
    if (state.waiting.length === 0 && socket.isPaused()) socket.resume()
    next.start()
  }

  #cut(socket: Socket, cut: Cut): void {
    stopParsing(socket)
    socket.destroy()
    this.#onCut(cut)
  }
}

function bodyOf({ headers }: IncomingMessage): 'chunked' | 'sized' | undefined {
  if (headers['transfer-encoding'] !== undefined) return 'chunked'
  return headers['content-length'] === undefined || headers['content-length'] === '0' ? undefined : 'sized'
}

/** llhttp's HPE_PAUSED. A parser callback that returns it ends the parsing of this piece. */
const paused = 21

/**
 * Node parses a piece to its end, even after the connection is closed. It keeps a request and a response for each of
 * up to 3,000 requests in it. The parser is undocumented: if a Node release changes it, only that memory is lost.
 */
function stopParsing(socket: Socket & { parser?: { onIncoming?: () => number } | null }): void {
  if (socket.parser?.onIncoming !== undefined) socket.parser.onIncoming = () => paused
}
