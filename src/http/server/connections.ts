import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { WireLimits } from '../request/wire-limits.ts'

/** Why a connection was closed without an answer. */
export type Cut = 'connections' | 'pipelined' | 'slow_reader'

type Waiting = { readonly response: ServerResponse; readonly start: () => void }

type State = {
  /** The latest response that was started. */
  current: ServerResponse | undefined
  /** Requests behind it, in order. */
  waiting: Waiting[]
  /** The response whose reading is timed, and when the time is up; by `performance.now()`. */
  timed: ServerResponse | undefined
  deadline: number
}

/**
 * Answers the requests of a connection one after the other, so that one response waits in memory for its reader.
 * A connection with many unanswered requests is not read any further, and closed when one piece brought too many.
 * A response that is read too slowly is cut.
 *
 * Costs a request that comes alone two comparisons; the others wait in a list.
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

  /** Calls `start` when the responses before this one have left. */
  serve({ socket }: IncomingMessage, response: ServerResponse, start: () => void): void {
    // The piece that closed the connection is parsed to its end.
    if (socket.destroyed) return
    const state = this.#open.get(socket) ?? this.#add(socket)
    const { current, waiting } = state
    if (waiting.length === 0 && (current === undefined || current.writableFinished)) {
      state.current = response
      start()
      return
    }
    const { pipelined, pipelinedInAll, pipelinedRead } = this.#limits
    if (waiting.length >= pipelined || this.#waiting >= pipelinedInAll) {
      this.#cut(socket, 'pipelined')
      return
    }
    this.#waiting++
    if (waiting.push({ response, start }) === 1) current?.once('close', () => this.#next(socket, state))
    // Node reads on at the end of each request it has parsed, so not before it is done with this piece.
    if (waiting.length === pipelinedRead) process.nextTick(() => socket.pause())
  }

  /** Closes connections whose response is read too slowly; called by a timer. */
  sweep(now: number): void {
    for (const [socket, state] of this.#open) {
      const { current } = state
      if (current === undefined || !current.headersSent || current.writableFinished) continue
      if (state.timed !== current) {
        state.timed = current
        state.deadline = now + this.#limits.answerMs + (1000 * socket.writableLength) / this.#limits.leastRate
      } else if (now > state.deadline) this.#cut(socket, 'slow_reader')
    }
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
    if (state.waiting.length < this.#limits.pipelinedRead && socket.isPaused()) socket.resume()
    next.start()
  }

  #cut(socket: Socket, cut: Cut): void {
    stopParsing(socket)
    socket.destroy()
    this.#onCut(cut)
  }
}

/** llhttp's HPE_PAUSED: what a callback of the parser returns to end the parsing of this piece. */
const paused = 21

/**
 * Node parses a piece to its end, also of a closed connection, and keeps a request and a response for each of the up to
 * 3,000 requests in it. The parser is not documented: should a release of Node have another one, only that memory is lost.
 */
function stopParsing(socket: Socket & { parser?: { onIncoming?: () => number } | null }): void {
  if (socket.parser?.onIncoming !== undefined) socket.parser.onIncoming = () => paused
}
