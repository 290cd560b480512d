/** What a connection may take: times in milliseconds, sizes in bytes. */
export type WireLimits = {
  /** For a request line and headers to arrive, counted from the connection's first moment. */
  readonly headersMs: number
  /** For a whole request to arrive, body included. */
  readonly requestMs: number
  /** How often the two above are looked at. */
  readonly checkEveryMs: number
  /** How long a kept connection may wait for its next request; above what balancers use, so that they hang up first. */
  readonly keepAliveMs: number
  /** How long, while the server stops, a kept connection may wait for one more request. */
  readonly graceMs: number
  /** How long nothing may move in either direction while there is something to move: cuts readers that do not read. */
  readonly silenceMs: number
  /** How long the reader of a response may take, and how many bytes a second it has to read beyond that. */
  readonly answerMs: number
  readonly leastRate: number
  /** Unanswered requests of one connection: from how many on it is not read, and how many one piece may bring. */
  readonly pipelinedRead: number
  readonly pipelined: number
  /** Requests of all connections that wait for the response before them. */
  readonly pipelinedInAll: number
  /** Open connections; the next one is closed at once. */
  readonly connections: number
  /** How long a connection that was told off stays to read why. */
  readonly lingerMs: number
  /** Connections that wait to be accepted, as far as the system allows (listen(2)): beyond, a caller waits seconds. */
  readonly backlog: number
  /** Of request line and headers together. */
  readonly headerBytes: number
  /** Headers of a request. */
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
