import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { usageOfTree } from '../process-usage.ts'
import { ownerName, withClient } from '../workload.ts'
import { outcomes, requestText, startLoad } from './load.ts'
import { reads, type Stage, type Table } from './stage.ts'

const heapMb = 256
const seconds = 60
const others = { rate: 200, connections: 32 }
const probes = { rate: 50, connections: 8 }

/** How many connections send what, and read nothing. */
type Silence = { readonly what: string; readonly pieces: readonly string[] }

/** Clients that ask and never read: the memory of a process with a small heap, and what others see meanwhile. */
export async function silent(stage: Stage): Promise<Table> {
  const accounts = Array.from({ length: 10 }, (_, owner) => owner)
  await withLongTasks(stage.databaseUrl, accounts)
  const openapi = 'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const lists = accounts.flatMap((owner) => {
    const list = requestText(stage.tokens[owner] ?? '', { method: 'GET', path: '/api/v1/tasks?limit=500' })
    return Array.from({ length: 40 }, () => list.repeat(8))
  })
  const rows: Record<string, string>[] = []
  for (const silence of [
    {
      what: '200 connections, 1,700 × GET /openapi.json each',
      pieces: Array(200).fill(openapi.repeat(1_700)),
    },
    { what: '200 connections, 100 × GET /openapi.json each', pieces: Array(200).fill(openapi.repeat(100)) },
    { what: '10 accounts, 40 connections with 8 lists of 1 MB each', pieces: lists },
  ])
    rows.push(await during(stage, silence))
  return { title: `Nobody reads for ${seconds} s, with a heap of ${heapMb} MB`, rows }
}

async function during(stage: Stage, { what, pieces }: Silence): Promise<Record<string, string>> {
  const { tell, tokens, commands } = stage
  await using docket = await stage.start({ settings: { NODE_OPTIONS: `--max-old-space-size=${heapMb}` } })
  const { port, pid } = docket
  const load = (requests: string[], order: { rate: number; connections: number; seconds: number }) =>
    startLoad({ port, requests, ...order }, commands.signal).report
  const quiet = reads(tokens).slice(10)
  const live = ['GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n']
  tell(`as usual, before: ${what}`)
  await load(quiet, { ...others, seconds: 3 })
  const usual = await load(quiet, { ...others, seconds: 10 })
  const before = await residentMb(pid)
  tell(what)
  const sockets = pieces.map((piece) => silentSocket(port, piece))
  const peak = peakOf(pid)
  const [meanwhile, health] = await Promise.all([
    load(quiet, { ...others, seconds }),
    load(live, { ...probes, seconds }),
  ])
  const most = await peak.stop()
  for (const socket of sockets) socket.destroy()
  tell('a minute later')
  await load(quiet, { ...others, seconds: 60 })
  return {
    silence: what,
    'memory before': `${before} MB`,
    most: `${most} MB`,
    'a minute later': `${await residentMb(pid)} MB`,
    'p99 of others': `${meanwhile.p99Ms.toFixed(1)} ms, usually ${usual.p99Ms.toFixed(1)} ms`,
    answers: outcomes(meanwhile),
    'p99 of /livez': `${health.p99Ms.toFixed(1)} ms`,
  }
}

function silentSocket(port: number, piece: string): Socket {
  const socket = connect(port, '127.0.0.1').pause()
  socket.on('error', () => undefined)
  socket.write(piece)
  return socket
}

async function residentMb(pid: number): Promise<number> {
  return Math.round(((await usageOfTree(pid))?.residentBytes ?? Number.NaN) / 2 ** 20)
}

function peakOf(pid: number): { stop(): Promise<number> } {
  let going = true
  const looking = (async () => {
    let most = 0
    while (going) {
      most = Math.max(most, await residentMb(pid))
      await wait(100)
    }
    return most
  })()
  return {
    stop: () => {
      going = false
      return looking
    },
  }
}

async function withLongTasks(url: string, owners: readonly number[]): Promise<void> {
  await withClient(url, async (client) => {
    for (const owner of owners)
      await client.query(
        `insert into docket.tasks (owner_id, id, title, description)
         select $1, gen_random_uuid(), 'Long', repeat('語', 10000) from generate_series(1, 50)`,
        [ownerName(owner)],
      )
  })
}
