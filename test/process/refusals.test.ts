import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { cleanUp, docket, type Environment, leaks, newFolder, secret } from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const servers: Server[] = []
afterAll(async () => {
  for (const server of servers) server.close()
  expect(leaks()).toEqual([])
  await cleanUp()
})

/** Something that listens and is no Postgres. */
async function listener(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => onConnection(socket.on('error', () => undefined)))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const password = secret('Sup3r-secret-passw0rd')
const at = (port: number, query = '') => `postgresql://ann:${password}@127.0.0.1:${port}/tasks${query}`

/** Runs the command to its end and gives its code and all it said, which has to be free of stack traces. */
async function outcome(args: readonly string[], environment: Environment) {
  const running = await docket(args, { environment: { PORT: '0', ...environment } })
  const { code } = await running.ended
  const said = running.stdout() + running.stderr()
  expect(said).not.toMatch(/^\s+at |node:internal|Error:/m)
  return { code, said }
}

test('production with nothing set: every fault in one message, nothing embedded, nothing generated', async () => {
  const dataDir = join(await newFolder(), 'data')
  for (const command of ['start', 'migrate']) {
    const { code, said } = await outcome([command], { NODE_ENV: 'production', DATA_DIR: dataDir })
    expect(code).toBe(78)
    expect(said).toMatch(/^Docket cannot start: 2 settings are wrong or missing\./)
    expect(said).toContain('DATABASE_URL is missing')
    expect(said).toContain('BETTER_AUTH_URL is missing')
  }
  expect(existsSync(dataDir)).toBe(false)
})

test('wrong settings are told together, without their values', async () => {
  const { code, said } = await outcome(['start'], {
    PORT: '99999',
    DATABASE_URL: secret('mysql://root:hunter2@db/tasks'),
    AUTH_JWT_SECRET: secret('much-too-short'),
    LOG_LEVEL: 'loud',
  })
  expect(code).toBe(78)
  for (const name of ['PORT', 'DATABASE_URL', 'AUTH_JWT_SECRET', 'LOG_LEVEL'])
    expect(said).toMatch(new RegExp(`^ {2}${name} `, 'm'))
})

test('a port that is taken: one sentence, 69, and no database was made', async () => {
  const port = await listener((socket) => socket.destroy())
  const dataDir = join(await newFolder(), 'data')
  const { code, said } = await outcome(['start'], { PORT: String(port), DATA_DIR: dataDir })
  expect(code).toBe(69)
  expect(said).toBe(
    `Port ${port} is taken: stop what uses it, or set PORT to another (0 picks a free one).\n`,
  )
  expect(existsSync(dataDir)).toBe(false)
})

test('an address that is not of this machine: one sentence, 69', async () => {
  const { code, said } = await outcome(['start'], { HOST: '192.0.2.1', DATA_DIR: await newFolder() })
  expect(code).toBe(69)
  expect(said).toBe('HOST 192.0.2.1 is no address of this machine: set HOST to one that is.\n')
})

test.each(['start', 'migrate'])(
  '%s with a DATA_DIR that cannot be written: one sentence, 73',
  async (command) => {
    // Below a regular file nobody can make a folder, not even root.
    const file = join(await newFolder(), 'file')
    await writeFile(file, '')
    for (const dataDir of [file, join(file, 'data')]) {
      const { code, said } = await outcome([command], { DATA_DIR: dataDir })
      expect(code).toBe(73)
      expect(said).toBe(
        'DATA_DIR cannot be written: make the folder writable for this user, or choose another.\n',
      )
    }
  },
)

describe('a DATABASE_URL where there is no Postgres: one sentence, 69, no second attempt', () => {
  const cases: [what: string, url: () => Promise<string>, sentence: RegExp][] = [
    ['nothing listens', async () => at(1), /nothing listens at its host and port/],
    [
      'the host does not exist',
      async () => `postgresql://ann:${password}@nowhere.invalid/tasks`,
      /its host name does not resolve/,
    ],
    ['it hangs up', async () => at(await listener((socket) => socket.destroy())), /the connection was cut/],
    [
      'it speaks HTTP',
      async () => at(await listener((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
      /the connection was cut without a word: check that a Postgres listens there/,
    ],
    [
      'it speaks SSH, and waits',
      async () => at(await listener((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'))),
      /nothing there answers as a Postgres does/,
    ],
    [
      'TLS is asked of what has none',
      async () =>
        at(await listener((socket) => socket.on('data', () => socket.write('N'))), '?sslmode=require'),
      /the server speaks no TLS: where the network is your own, say sslmode=disable/,
    ],
  ]

  // Side by side: one of them takes the whole connect time-out of 10 s.
  test.concurrent.for(cases)('%s', async ([, url, sentence], { expect }) => {
    const dataDir = await newFolder()
    const { code, said } = await outcome(['start'], { DATABASE_URL: await url(), DATA_DIR: dataDir })
    expect(said).toMatch(/^DATABASE_URL cannot be used: .+\n$/)
    expect(said).toMatch(sentence)
    expect(code).toBe(69)
    expect(await readdir(dataDir)).toEqual([])
  })

  test('what cannot be reached for migrating is named by its own variable', async () => {
    const { said } = await outcome(['migrate'], { DATABASE_URL: at(1), DATABASE_MIGRATION_URL: at(2) })
    expect(said).toMatch(/^DATABASE_MIGRATION_URL cannot be used: nothing listens/)
  })
})
