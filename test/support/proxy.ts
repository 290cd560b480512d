import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * What becomes of each message of the client behind its start-up message: returned as it is, changed, or left out
 * by returning `undefined`. `next` is the type of the message behind it in the same burst.
 */
export type Rewrite = (message: Buffer, next: string | undefined) => Buffer | undefined

/** A loopback TCP proxy in front of a Postgres, to count what goes over the wire and to break it. */
export type TcpProxy = {
  /** The URL given, by way of the proxy. */
  readonly url: string
  /** Bursts of the client so far, each the first thing it sent after it had heard from the server. */
  readonly flights: () => number
  /** Connections that were ever accepted. */
  readonly accepted: () => number
  /** Adds this long to each way. */
  delay(ms: number): void
  /** Ends every connection at once; new ones are still taken. */
  cut(): void
  /** The next connection is ended as an administrator would, told in one piece with the answer of that number. */
  endBehind(answer: number): void
  /** Keeps the connections there are and takes no new ones. */
  refuseNew(): void
  /** Ends every connection, and each new one as soon as it is accepted. */
  turnAway(): void
  /** Ends every connection and takes no new ones: nothing listens. */
  refuse(): Promise<void>
  /** Passes nothing on for the connections there are, and keeps them; `answers` holds only what the server says. */
  hang(what?: 'everything' | 'answers'): void
  /** Passes on again what was held, and listens again on the same port. */
  resume(): Promise<void>
  close(): Promise<void>
}

/** Starts a proxy on a free port. `rewrite` is made anew for each connection. */
export async function startProxy(databaseUrl: string, rewrite?: () => Rewrite): Promise<TcpProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  const gates = new Set<{ requests: Gate; answers: Gate }>()
  let delayMs = 0
  let flights = 0
  let accepted = 0
  let turningAway = false
  let endingBehind = 0

  const server = createServer((client) => {
    accepted++
    if (turningAway) return void client.destroy()
    const upstream = connect(Number(target.port || 5432), target.hostname)
    let heard = true
    let answersLeft = endingBehind
    endingBehind = 0
    const change = rewrite === undefined ? (bytes: Buffer) => bytes : messagesOf(rewrite())
    const own = { requests: gate(), answers: gate() }
    gates.add(own)
    const requests = pipe(own.requests, (bytes) => upstream.write(change(bytes)))
    const answers = pipe(own.answers, (bytes) => {
      heard = true
      const last =
        answersLeft > 0 && bytes.subarray(-readyForQuery.length).equals(readyForQuery) && --answersLeft === 0
      if (last) client.end(Buffer.concat([bytes, endedByAdministrator]))
      else client.write(bytes)
    })
    client.on('data', (bytes) => {
      if (heard) flights++
      heard = false
      requests(bytes, delayMs)
    })
    upstream.on('data', (bytes) => answers(bytes, delayMs))
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        gates.delete(own)
        other.destroy()
      })
    }
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
    return address.port
  }
  const port = await listen(0)
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  let closing: Promise<unknown> = Promise.resolve()
  const refuseNew = () => {
    if (!server.listening) return
    closing = once(server, 'close')
    server.close()
  }
  const refuse = async () => {
    refuseNew()
    cut()
    await closing
  }
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href,
    flights: () => flights,
    accepted: () => accepted,
    delay: (ms) => {
      delayMs = ms
    },
    cut,
    endBehind: (answer) => {
      endingBehind = answer
    },
    refuseNew,
    turnAway: () => {
      turningAway = true
      cut()
    },
    refuse,
    hang: (what = 'everything') => {
      for (const { requests, answers } of gates) {
        if (what === 'everything') requests.shut()
        answers.shut()
      }
    },
    resume: async () => {
      turningAway = false
      for (const { requests, answers } of gates) {
        requests.open()
        answers.open()
      }
      if (server.listening) return
      // A server listens again only when its last connection is gone.
      cut()
      await closing
      await listen(port)
    },
    close: refuse,
  }
}

const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])
const fields = 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'
const endedByAdministrator = Buffer.concat([
  Buffer.from([0x45, 0, 0, 0, 4 + fields.length]),
  Buffer.from(fields),
])

type Gate = { passable: () => Promise<void> | undefined; shut(): void; open(): void }

function gate(): Gate {
  let shut: PromiseWithResolvers<void> | undefined
  return {
    passable: () => shut?.promise,
    shut: () => {
      shut ??= Promise.withResolvers<void>()
    },
    open: () => {
      shut?.resolve()
      shut = undefined
    },
  }
}

/** Passes chunks on in order, each when its delay is over and the gate open. */
function pipe({ passable }: Gate, pass: (bytes: Buffer) => void): (bytes: Buffer, delayMs: number) => void {
  let last: Promise<unknown> = Promise.resolve()
  return (bytes, delayMs) => {
    const due = delayMs === 0 ? undefined : delay(delayMs)
    last = last
      .then(() => due)
      .then(passable)
      .then(() => pass(bytes))
  }
}

/** Cuts the client's bytes into messages, gives each to `rewrite`, and joins what is left of them. */
function messagesOf(rewrite: Rewrite): (bytes: Buffer) => Buffer {
  let rest: Buffer = Buffer.alloc(0)
  let started = false
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    const out: Buffer[] = []
    for (;;) {
      // Only the first message has no type in front of its length.
      const head = started ? 1 : 0
      if (rest.length < head + 4) break
      const end = head + rest.readInt32BE(head)
      if (rest.length < end) break
      const message = rest.subarray(0, end)
      rest = rest.subarray(end)
      const next = rest[0] === undefined ? undefined : String.fromCharCode(rest[0])
      const passed = started ? rewrite(message, next) : message
      if (passed !== undefined) out.push(passed)
      started = true
    }
    return Buffer.concat(out)
  }
}
