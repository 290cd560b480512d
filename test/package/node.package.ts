import { randomBytes, randomUUID } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { z } from 'zod'
import {
  cleanUp,
  createTask,
  type Environment,
  listTasks,
  type Running,
  tokenOf,
} from '../support/process.ts'
import { admin, freePort, withDatabase } from '../support/real-postgres.ts'
import { Reader } from './reader.ts'

const { node22, node24, bun, deno } = inject('runtimes')
const secret = randomBytes(32).toString('base64url')
const databaseName = `docket_package_${randomBytes(6).toString('hex')}`

let readers: Record<'22' | '24', Reader>
let settings: Environment
beforeAll(async () => {
  const postgres = inject('postgresUrl')
  await admin(postgres, `create database ${databaseName}`)
  settings = {
    DATABASE_URL: withDatabase(postgres, databaseName),
    AUTH_JWT_SECRET: secret,
    AUTH_JWT_ISSUER: 'test',
    AUTH_AUDIENCE: 'docket',
  }
  readers = { 22: await Reader.with(node22), 24: await Reader.with(node24) }
  for (const reader of Object.values(readers)) {
    await reader.run(`npm install ${inject('tarball')}`)
    await reader.copy('node')
  }
})
afterEach(async () => {
  await Promise.all(running.splice(0).map(stop))
})
afterAll(async () => {
  await cleanUp()
  await admin(inject('postgresUrl'), `drop database if exists ${databaseName} with (force)`)
})

const running: Running[] = []

/** Starts a server, and waits until it says what matches. */
async function start(reader: Reader, command: string, environment: Environment, ready: RegExp) {
  const server = reader.start(command, environment)
  running.push(server)
  return { server, said: await server.says(ready) }
}

async function stop(server: Running) {
  server.kill('SIGTERM')
  return server.ended
}

const newToken = () =>
  new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('test')
    .setAudience('docket')
    .setSubject(randomUUID())
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(secret))

async function createsAndLists(url: string, token: string) {
  const { id } = await createTask(url, token, 'from the package')
  expect((await listTasks(url, token)).map((task) => task.id)).toEqual([id])
}

const nodes = ['22', '24'] as const

test.each(nodes)(
  'on Node %s every entrance can be imported, which prints nothing and keeps nothing running',
  async (node) => {
    const program = `
    const { createTodoApi } = await import('docket')
    const { toNextJsHandler } = await import('docket/next')
    const { toNodeHandler } = await import('docket/node')
    const { tasks } = await import('docket/schema')
    const api = createTodoApi({ environment: {} })
    if (![toNextJsHandler(api).GET, toNodeHandler(api), tasks.id].every(Boolean)) process.exit(1)`
    expect(await readers[node].run(`node --input-type=module -e "${program}"`)).toBe('')
  },
)

test.each(nodes)('on Node %s the API is mounted in a Node server', async (node) => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const server = readers[node].start('node server.mjs', { ...settings, PORT: String(port) })
  running.push(server)
  await expect
    .poll(
      () =>
        fetch(`${url}/livez`).then(
          (answer) => answer.status,
          () => 0,
        ),
      { timeout: 60_000 },
    )
    .toBe(200)
  await createsAndLists(url, await newToken())
  expect([server.stdout(), server.stderr()]).toEqual(['', ''])
})

test.each([
  ['Node 22', '22', 'node'],
  ['Node 24', '24', 'node'],
  ['Bun', '24', bun],
  ['Deno', '24', `${deno} run --allow-all`],
] as const)('on %s the command starts, serves and drains', async (_runtime, node, command) => {
  const { server, said } = await start(
    readers[node],
    `${command} node_modules/docket/bin/docket.js start`,
    { ...settings, PORT: '0' },
    /"event":"start","origin":"([^"]+)".*\n/,
  )
  const [, url = ''] = said
  await createsAndLists(url, await newToken())
  expect((await fetch(`${url}/docs`)).status).toBe(200)
  expect(await stop(server)).toEqual({ code: 0, signal: null })
  expect(server.stdout()).toMatch(/"event":"stopped".+\n$/)
})

test.each(nodes)('on Node %s npx runs the command', async (node) => {
  const reader = readers[node]
  const nothing = '{"applied":[],"restored":[],"differences":[]}\n'
  expect(await reader.run('npx docket migrate', settings)).toBe(nothing)
  expect(await reader.run('npx docket --version')).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('without settings the command names what to install, and with that it runs by itself', async () => {
  const reader = readers['22']
  const lacking = await reader.attempt('npx docket start', { PORT: '0' })
  expect(lacking.code).toBe(78)
  const [, command = ''] =
    /^Docket lacks packages that only development needs: (npm install .+), or set DATABASE_URL and BETTER_AUTH_URL\.\n$/.exec(
      lacking.stderr,
    ) ?? []
  const { findings } = Doctor.parse(JSON.parse((await reader.attempt('npx docket doctor')).stdout))
  expect(findings.filter(({ ok }) => !ok).map(({ check }) => check)).toEqual(['database', 'keys'])

  await reader.run(command)
  const { said } = await start(
    reader,
    'node node_modules/docket/bin/docket.js start',
    { PORT: '0' },
    /"event":"start","origin":"([^"]+)".*\n/,
  )
  const [, url = ''] = said
  await createsAndLists(url, await tokenOf(url, 'ann'))
})

const Doctor = z.object({ findings: z.array(z.object({ check: z.string(), ok: z.boolean() })) })

test('installed with its dependencies it takes no more than 120 MB', async () => {
  const { folder } = readers['24']
  const entries = await readdir(join(folder, 'node_modules'), { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  )
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  console.log(`Installed it takes ${(bytes / 1e6).toFixed(0)} MB.`)
  expect(bytes).toBeLessThan(120e6)
})
