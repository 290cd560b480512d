import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { cleanUp, type Docket, newFolder, secret, startDocket } from '../support/process.ts'
import { admin } from '../support/real-postgres.ts'

/** Resident memory of a process whose heap is 256 MB. */
const mostResident = 400 * 2 ** 20
const accounts = Array.from({ length: 10 }, (_, i) => `account-${i}`)
const key = secret('a-shared-secret-of-32-characters-or-more')
const issuer = 'https://app.example.com'

let database: FreshDatabase
let docket: Docket
const sockets: Socket[] = []
beforeAll(async () => {
  database = await freshDatabase()
  for (const account of accounts)
    await admin(
      database.url,
      `insert into docket.tasks (owner_id, id, title, description)
       select '${account}', gen_random_uuid(), 'Long', repeat('語', 10000) from generate_series(1, 200)`,
    )
  docket = await startDocket(
    {
      DATABASE_URL: database.url,
      DATA_DIR: await newFolder(),
      AUTH_JWT_SECRET: key,
      AUTH_JWT_ISSUER: issuer,
      AUTH_AUDIENCE: issuer,
    },
    { nodeFlags: ['--max-old-space-size=256'] },
  )
}, 60_000)
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await cleanUp()
  await database.drop()
})

const tokenOf = (subject: string) =>
  new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(subject)
    .setIssuer(issuer)
    .setAudience(issuer)
    .setExpirationTime('10m')
    .sign(new TextEncoder().encode(key))

/** A connection that sends and reads nothing. */
function silent(text: string): void {
  const socket = connect(Number(new URL(docket.url).port), '127.0.0.1').pause()
  socket.on('error', () => undefined)
  socket.write(text)
  sockets.push(socket)
}

async function resident(): Promise<number> {
  const status = await readFile(`/proc/${docket.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

/** The largest resident size over some seconds, in which health and another owner's small request are always answered. */
async function peakOver(seconds: number): Promise<number> {
  const bob = { authorization: `Bearer ${await tokenOf('bob')}` }
  let peak = 0
  for (let look = 0; look < seconds * 10; look++) {
    const answers = await Promise.all([
      fetch(`${docket.url}/livez`),
      fetch(`${docket.url}/api/v1/me`, { headers: bob }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    for (const answer of answers) await answer.text()
    peak = Math.max(peak, await resident())
    await wait(100)
  }
  return peak
}

test('200 connections that pipeline and read nothing do not fill a small heap', async () => {
  for (let i = 0; i < 200; i++) silent('GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_700))
  // Few enough to be served: these wait for a reader.
  for (let i = 0; i < 200; i++) silent('GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100))
  expect(await peakOver(8)).toBeLessThan(mostResident)
}, 60_000)

test('10 accounts that leave 40 large lists unread do not fill a small heap, the second time either', async () => {
  for (const _ of ['once', 'again']) {
    for (const account of accounts) {
      const token = await tokenOf(account)
      const list = `GET /api/v1/tasks?limit=500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`
      // The kernel keeps several of them on each connection; the rest waits in the process.
      for (let i = 0; i < 40; i++) silent(list.repeat(8))
    }
    expect(await peakOver(8)).toBeLessThan(mostResident)
    for (const socket of sockets.splice(0)) socket.destroy()
  }
}, 120_000)
