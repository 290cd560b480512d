import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** What a server says instead of letting a client in. */
export type Refusal = { readonly code: string; readonly message: string; readonly severity?: string }

/**
 * A server that speaks Postgres' protocol just far enough to refuse whoever connects, as the proxy in front of a Neon
 * database does; or, once there is nothing more to refuse with, passes everything on to a real Postgres.
 */
export async function startRefusingServer(options: { refusal: Refusal; times?: number; behind: string }) {
  let { refusal, times = Infinity } = options
  let tries = 0
  const behind = new URL(options.behind)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    tries++
    sockets.add(client)
    client.on('error', () => undefined)
    client.on('close', () => sockets.delete(client))
    if (tries > times) {
      const upstream = connect(Number(behind.port), behind.hostname)
      upstream.on('error', () => client.destroy())
      client.on('close', () => upstream.destroy())
      client.pipe(upstream).pipe(client)
    } else client.once('data', () => client.end(errorResponse(refusal)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const url = new URL(options.behind)
  url.host = `127.0.0.1:${address.port}`
  return {
    url: url.href,
    /** Connections so far. */
    tries: () => tries,
    /** Ends every connection, and refuses from now on: all, or so many. */
    refuse: (next: Refusal, most = Infinity) => {
      refusal = next
      times = most
      tries = 0
      for (const socket of sockets) socket.destroy()
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** https://www.postgresql.org/docs/current/protocol-error-fields.html */
function errorResponse({ severity = 'FATAL', code, message }: Refusal): Buffer {
  const fields = Buffer.from(`S${severity}\0V${severity}\0C${code}\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
