/** The limits of connections: times in milliseconds, sizes in bytes. */
export type WireLimits = {
  /** Timeout for request line and headers, counted from the start of the connection. */
  readonly headersMs: number
  /** Timeout for a whole request, body included. */
  readonly requestMs: number
  /** Interval between checks of the two timeouts above. */
  readonly checkEveryMs: number
  /** Idle timeout of a kept connection. It exceeds that of usual load balancers, so that they close first. */
  readonly keepAliveMs: number
  /** Idle timeout of a kept connection while the server stops. */
  readonly graceMs: number
  /** Longest silence in both directions while bytes are pending. It closes connections whose client does not read. */
  readonly silenceMs: number
  /** Time for a client to read a response, and the least bytes per second beyond that. */
  readonly answerMs: number
  readonly leastRate: number
  /**
   * Unanswered requests of one connection. Reading pauses at `pipelinedRead`; beyond `pipelined` the connection is
   * closed.
   */
  readonly pipelinedRead: number
  readonly pipelined: number
  /** Most requests of all connections that wait for an earlier response. */
  readonly pipelinedInAll: number
  /** Most open connections. Further ones are closed at once. */
  readonly connections: number
  /** How long a refused connection stays open, so that the client can read why. */
  readonly lingerMs: number
  /** Connections that wait to be accepted, capped by the system (listen(2)). Beyond it, a client waits seconds. */
  readonly backlog: number
  /** Most bytes of request line and headers together. */
  readonly headerBytes: number
  /** Most headers of a request. */
  readonly headers: number
}

export const wireLimits: WireLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  checkEveryMs: 1_000,
  keepAliveMs: 65_000,
  graceMs: 1_000,
  silenceMs: 30_000,
  answerMs: 10_000,
  leastRate: 32_768,
  pipelinedRead: 32,
  pipelined: 128,
  pipelinedInAll: 8_192,
  connections: 10_000,
  lingerMs: 500,
  backlog: 4_096,
  headerBytes: 16_384,
  headers: 100,
}
