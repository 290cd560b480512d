import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { variables } from '../../src/config/variables.ts'
import { usageOfTree } from '../process-usage.ts'
import { outcomes, requestText, startLoad } from './load.ts'
import { reads, type Stage, type Table } from './stage.ts'

const floodConnections = 16
const seconds = 10
/** Callers whose tokens the server has not seen, a second, from the address of the flood. */
const newCallers = { rate: 10, connections: 16 }

/** Floods from one address by somebody who has no token: what the log grows by, and whether others behind the address get in. */
export async function junk(stage: Stage): Promise<Table> {
  const rows: Record<string, string>[] = []
  for (const flood of floods(stage)) rows.push(await under(stage, flood))
  return { title: `Floods without a token: ${floodConnections} clients, one address`, rows }
}

type Flood = { readonly requests: string; readonly texts: string[] }

function floods({ tokens }: Stage): Flood[] {
  const path = '/api/v1/tasks'
  const withToken = (token: string) => requestText(token, { method: 'GET', path })
  return [
    { requests: 'no token', texts: [`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`] },
    { requests: 'a token that is none', texts: [withToken('a.b.c')] },
    { requests: 'a wrong signature', texts: tokens.map((token) => withToken(withWrongSignature(token))) },
    { requests: 'no such path', texts: ['GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n'] },
    { requests: 'health checks', texts: ['GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'] },
    { requests: 'no HTTP', texts: ['hello\r\n\r\n'] },
  ]
}

async function under(stage: Stage, { requests, texts }: Flood) {
  const output = join(stage.folder, 'log')
  await using docket = await stage.start({
    settings: { RATE_LIMIT_ADDRESS: variables.rateLimitAddress.default },
    output,
  })
  const { port, pid } = docket
  const { signal } = stage.commands
  stage.tell(`a flood: ${requests}`)
  const flood = startLoad({ port, requests: texts, connections: floodConnections }, signal)
  const [before, usedBefore] = [await stat(output), await usageOfTree(pid)]
  const others = startLoad({ port, requests: reads(stage.tokens), ...newCallers, seconds }, signal)
  const newTokens = await others.report
  const [after, usedAfter] = [await stat(output), await usageOfTree(pid)]
  flood.stop()
  const report = await flood.report
  const perSecond = report.sent / report.seconds
  const cpuSeconds = (usedAfter?.cpuSeconds ?? Number.NaN) - (usedBefore?.cpuSeconds ?? Number.NaN)
  return {
    requests,
    'a second': String(Math.round(perSecond)),
    'CPU for each': `${Math.round((1e6 * cpuSeconds) / (perSecond * newTokens.seconds))} µs`,
    answers: Object.keys({ ...report.statuses, ...report.failures }).join(', '),
    'log a minute': `${(((after.size - before.size) / newTokens.seconds) * 60e-6).toFixed(1)} MB`,
    'tokens not seen before': outcomes(newTokens),
  }
}

/** Well formed, and signed by nobody. */
function withWrongSignature(token: string): string {
  const [header, payload, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url').fill(7, 0, 8)
  return `${header}.${payload}.${bytes.toString('base64url')}`
}
