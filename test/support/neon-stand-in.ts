import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { neonConfig } from '@neondatabase/serverless'
import pg from 'pg'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'

/** What became of one request to `/sql`, as the stand-in saw it. */
export type SqlRequest = {
  readonly headers: IncomingHttpHeaders
  readonly queries: readonly { readonly query: string; readonly params: readonly unknown[] }[]
}

/** What a fault does to a request instead of answering it. */
export type Fault =
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  /** The transaction is committed, and the connection then cut. */
  | 'lose the answer'
  /** Nothing is done and nothing said. */
  | 'hang'
  /** Half of the answer, and then the end. */
  | 'truncate'

export type NeonStandIn = {
  /** Every request to `/sql` so far. */
  readonly requests: () => readonly SqlRequest[]
  /** WebSockets opened so far. */
  readonly sockets: () => number
  /** What happens to the requests from now on; returns `undefined` for those that are answered. */
  faulty(fault: (request: SqlRequest) => Fault | undefined): void
  /** Cuts every WebSocket and HTTP connection. */
  cut(): void
  /** Passes on no more answers through the WebSockets there are, or nothing at all, not even an answer to a close. */
  freeze(what: 'everything' | 'answers'): void
  /** Takes no connections, or takes them again on the same port. */
  refuse(): Promise<void>
  listen(): Promise<void>
  close(): Promise<void>
}

const Query = z.strictObject({ query: z.string(), params: z.array(z.union([z.string(), z.null()])) })
const Body = z.union([z.strictObject({ queries: z.array(Query) }), Query])

const levels: Readonly<Record<string, string>> = {
  ReadUncommitted: 'read uncommitted',
  ReadCommitted: 'read committed',
  RepeatableRead: 'repeatable read',
  Serializable: 'serializable',
}

/**
 * Stands in for Neon's proxy: SQL over HTTP as `POST /sql`, one query or a batch in one transaction, and Postgres'
 * protocol through a WebSocket. Neon's own driver, in this process, is pointed at it; what it asks is asked of the
 * database its connection string names.
 */
export async function startNeonStandIn(): Promise<NeonStandIn> {
  const requests: SqlRequest[] = []
  const webSockets = new Set<WebSocket>()
  const frozen = new Set<WebSocket>()
  const pools = new Map<string, pg.Pool>()
  let opened = 0
  let faultOf: (request: SqlRequest) => Fault | undefined = () => undefined

  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    if (request.method !== 'POST' || request.url !== '/sql') return void response.writeHead(404).end()
    const body = Body.parse(JSON.parse(text))
    const batch = 'queries' in body
    const asked = { headers: request.headers, queries: batch ? body.queries : [body] }
    requests.push(asked)
    const fault = faultOf(asked)
    if (fault === 'hang') return
    if (typeof fault === 'object') return void response.writeHead(fault.status, fault.headers).end(fault.body)
    const answer = await run(poolOf(String(request.headers['neon-connection-string'])), asked, batch)
    if (fault === 'lose the answer') return void request.socket.destroy()
    send(response, answer, fault)
  })
  const poolOf = (url: string) => {
    const known = pools.get(url)
    if (known !== undefined) return known
    const pool = new pg.Pool({ connectionString: url, max: 20 })
    pool.on('error', () => undefined)
    pools.set(url, pool)
    return pool
  }

  const upgrades = new WebSocketServer({ server })
  upgrades.on('connection', (webSocket, request) => {
    opened++
    webSockets.add(webSocket)
    const address = new URL(request.url ?? '', 'ws://stand-in').searchParams.get('address') ?? ''
    const [host, port] = [
      address.slice(0, address.lastIndexOf(':')),
      address.slice(address.lastIndexOf(':') + 1),
    ]
    const postgres = connect(Number(port), host)
    postgres.setNoDelay(true)
    webSocket.on('message', (bytes: Buffer) => postgres.write(bytes))
    postgres.on('data', (bytes) => frozen.has(webSocket) || webSocket.send(bytes))
    for (const event of ['close', 'error'] as const) {
      webSocket.on(event, () => {
        webSockets.delete(webSocket)
        postgres.destroy()
      })
      postgres.on(event, () => frozen.has(webSocket) || webSocket.terminate())
    }
  })

  let port = 0
  const listen = async () => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the stand-in has no port')
    port = address.port
  }
  await listen()
  const restore = pointDriverAt(port)
  const cut = () => {
    for (const webSocket of webSockets) webSocket.terminate()
    server.closeAllConnections()
  }
  const refuse = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    cut()
    await closed
  }
  return {
    requests: () => requests,
    sockets: () => opened,
    faulty: (fault) => {
      faultOf = fault
    },
    cut,
    freeze: (what) => {
      for (const webSocket of webSockets) {
        frozen.add(webSocket)
        if (what === 'everything') webSocket.pause()
      }
    },
    refuse,
    listen,
    close: async () => {
      restore()
      await refuse()
      await Promise.all([...pools.values()].map((pool) => pool.end()))
    },
  }
}

/** The driver's own settings; a test file has the driver to itself. */
function pointDriverAt(port: number): () => void {
  const before = { ...neonConfig.opts }
  neonConfig.fetchEndpoint = `http://127.0.0.1:${port}/sql`
  neonConfig.wsProxy = (host, postgresPort) => `127.0.0.1:${port}/v2?address=${host}:${postgresPort}`
  neonConfig.useSecureWebSocket = false
  // Neon's proxy takes the password before it was asked for; a Postgres does not.
  neonConfig.pipelineConnect = false
  return () => {
    neonConfig.opts = before
  }
}

type Answered = { readonly status: number; readonly body: string }

/** By the extended protocol, as Neon's proxy asks: one statement, also without values; columns as Postgres' text. */
const rawArrays = {
  rowMode: 'array' as const,
  queryMode: 'extended',
  types: { getTypeParser: () => (text: string) => text },
}

async function run(pool: pg.Pool, asked: SqlRequest, batch: boolean): Promise<Answered> {
  const { headers, queries } = asked
  const level = headers['neon-batch-isolation-level']
  if (headers['neon-raw-text-output'] !== 'true' || headers['neon-array-mode'] !== 'true')
    throw new Error('the stand-in knows raw text in arrays only')
  try {
    const client = await pool.connect()
    try {
      if (batch) {
        const readOnly = headers['neon-batch-read-only'] === 'true' ? ' read only' : ''
        const isolation = level === undefined ? '' : ` isolation level ${levels[String(level)]}`
        await client.query(`begin${isolation}${readOnly}`)
      }
      const results: object[] = []
      for (const { query, params } of queries) {
        const { rows, fields, command, rowCount } = await client.query({
          ...rawArrays,
          text: query,
          values: [...params],
        })
        results.push({ command, rowCount, rows, fields, rowAsArray: true })
      }
      if (batch) await client.query('commit')
      return { status: 200, body: JSON.stringify(batch ? { results } : results[0]) }
    } catch (error) {
      if (batch) await client.query('rollback').catch(() => undefined)
      throw error
    } finally {
      client.release()
    }
  } catch (error) {
    return { status: 400, body: JSON.stringify(asNeonSays(error)) }
  }
}

/** An error of Postgres in the shape in which Neon's proxy reports it. */
function asNeonSays(error: unknown): object {
  if (!(error instanceof pg.DatabaseError)) return { message: String(error) }
  const { message, code, severity, detail, hint, position, constraint, table, schema, routine } = error
  return { message, code, severity, detail, hint, position, constraint, table, schema, routine }
}

function send(response: ServerResponse, { status, body }: Answered, fault: 'truncate' | undefined): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  if (fault === undefined) return void response.end(body)
  response.write(body.slice(0, body.length / 2))
  setImmediate(() => response.socket?.destroy())
}
