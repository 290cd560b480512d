import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { pino } from 'pino'
import { type AccessTokens, createAccessTokens } from '../../src/auth/access-token.ts'
import { type FetchKeys, type KeySetTiming, remoteKeys } from '../../src/auth/keys/key-set.ts'
import { AppError } from '../../src/errors.ts'
import { startTokenIssuer } from './token-issuer.ts'

type LogLine = { reason?: string; level?: number; msg?: string; ignored?: unknown; source?: string }

/** A key-set address that can be told to misbehave. It answers with `answer` until then. */
export async function startEndpoint(answer: RequestListener) {
  let requests = 0
  let current = answer
  const server = createServer((request, response) => {
    requests += 1
    current(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the endpoint has no port')
  return {
    url: `http://127.0.0.1:${address.port}/jwks`,
    answerWith: (next: RequestListener) => {
      current = next
    },
    requests: () => requests,
    close: async () => {
      if (!server.listening) return
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export function answerJson(response: ServerResponse, body: string, type = 'application/json'): void {
  response.writeHead(200, { 'content-type': type }).end(body)
}

/** An issuer, an endpoint that passes its key set on, and a clock that stands still. */
export async function openKeySetCheck() {
  let clock = Date.UTC(2026, 10, 20)
  const now = () => clock
  const lines: LogLine[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const issuer = await startTokenIssuer({ now })
  const good: RequestListener = async (_, response) =>
    answerJson(response, await (await fetch(issuer.url)).text())
  const endpoint = await startEndpoint(good)
  const opened: AccessTokens[] = []

  return {
    issuer,
    endpoint,
    good,
    lines,
    now,
    advance: (ms: number) => {
      clock += ms
    },
    /** A token check on the endpoint's keys, or on what `fetchKeys` answers. */
    open: (
      timing: Partial<KeySetTiming> = {},
      fetchKeys: FetchKeys = remoteKeys(endpoint.url),
    ): AccessTokens => {
      const { issuer: one, audience } = issuer
      const shared = { kind: 'key-set', issuers: [one], audiences: [audience] } as const
      const sources = [{ ...shared, fetchKeys, label: 'the key set' }]
      const tokens = createAccessTokens({ sources, log, now, keySetTiming: timing })
      opened.push(tokens)
      return tokens
    },
    /** The names the log has for the fetches that failed. */
    faults: () => lines.filter(({ msg }) => msg?.includes('could not be read')).map(({ reason }) => reason),
    close: async () => {
      for (const tokens of opened) tokens.close()
      await Promise.all([issuer.close(), endpoint.close()])
    },
  }
}

export type KeySetCheck = Awaited<ReturnType<typeof openKeySetCheck>>

/** 'accepted', or the code and the reason of the refusal. */
export async function verdict(tokens: AccessTokens, token: string): Promise<string> {
  try {
    await tokens.authenticate([`Bearer ${token}`])
    return 'accepted'
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return `${error.code}: ${error.reason}`
  }
}
