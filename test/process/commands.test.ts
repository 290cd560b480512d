import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import {
  cleanUp,
  type Docket,
  docket,
  type Environment,
  leaks,
  listTasks,
  newFolder,
  type RunOptions,
  root,
  run,
  secret,
  startDocket,
} from '../support/process.ts'
import { freePort } from '../support/real-postgres.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let server: Docket
let dataDir: string
let here: Environment
beforeAll(async () => {
  dataDir = await newFolder()
  server = await startDocket({ DATA_DIR: dataDir })
  here = { DATA_DIR: dataDir, PORT: new URL(server.url).port }
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
})

/** Has the command take its output for a terminal. */
const onTerminal = ['--import', 'data:text/javascript,process.stdout.isTTY=true']

async function outcome(args: readonly string[], environment: Environment = {}, options: RunOptions = {}) {
  const running = await docket(args, { ...options, environment })
  const { code } = await running.ended
  return { code, stdout: running.stdout(), stderr: running.stderr() }
}

describe('docket', () => {
  test.each([[['--help']], [['-h']], [['help']], [['start', '--help']]])(
    '%j explains itself',
    async (args) => {
      const { code, stdout, stderr } = await outcome(args)
      expect([code, stderr]).toEqual([0, ''])
      for (const word of ['start', 'migrate', 'token', 'doctor', 'openapi', '--user', 'Exit codes'])
        expect(stdout).toContain(word)
    },
  )

  test.each([
    [[], /\n\nWhich command\?\n$/],
    [['nonsense'], /\n\nThere is no command "nonsense"\.\n$/],
    [['toString'], /There is no command "toString"\.\n$/],
    [['start', 'now'], /start takes options only\.\n$/],
    [['doctor', '--workers', '2'], /--workers is for start\.\n$/],
    [['--nope'], /\n\nUnknown option '--nope'\.\n$/],
  ])('%j is wrong usage: 2, and how it is used', async (args, sentence) => {
    const { code, stdout, stderr } = await outcome(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(sentence)
    expect(stderr).toContain('Usage: npx docket <command>')
  })

  test.each([
    [
      'an older Node',
      {
        nodeFlags: [
          '--import',
          "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})",
        ],
      },
      /^This is Node 20\.1\.0, and Docket needs Node 24/,
    ],
    ['no packages', { copied: true }, /^Docket needs Node 24 and its packages/],
  ])(
    '%s: what to do, and no stack',
    async (_what, {
      nodeFlags = [],
      copied = false,
    }: { nodeFlags?: string[]; copied?: boolean }, sentence) => {
      const clone = copied ? await newFolder() : root
      const script = join(clone, 'bin/docket.js')
      if (copied)
        for (const file of ['bin/docket.js', 'src/cli.ts', 'package.json'])
          await cp(join(root, file), join(clone, file))
      const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeFlags, script, '--version'], {
        encoding: 'utf8',
      })
      expect([status, stdout]).toEqual([78, ''])
      expect(stderr).toMatch(sentence)
      expect(stderr).toMatch(/: run npm ci, which brings both, then npm start or npx docket\.\n$/)
    },
  )

  test('openapi prints what is committed', async () => {
    expect(await outcome(['openapi'])).toEqual({
      code: 0,
      stdout: await readFile(join(root, 'openapi.json'), 'utf8'),
      stderr: '',
    })
  })

  test('is there for npm run, and for npx in the repository', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    expect((await outcome(['--version'])).stdout).toBe(`${version}\n`)
    for (const [command, ...args] of [
      ['npm', 'run', '--silent', 'docket', '--', '--version'],
      ['npx', 'docket', '--version'],
    ]) {
      const running = run(command ?? '', args, { folder: root })
      expect(await running.ended).toEqual({ code: 0, signal: null })
      expect(running.stdout()).toBe(`${version}\n`)
    }
  })
})

describe('docket token', () => {
  const token = async (...args: string[]) => {
    const { code, stdout } = await outcome(['token', ...args], here, { printsSecret: true })
    expect(code).toBe(0)
    return secret(stdout.trim())
  }

  test('prints a token the server takes; one name is one user, another name another', async () => {
    const [demo, again, ann] = [await token(), await token(), await token('--user', 'ann')]
    expect(await listTasks(server.url, demo)).toEqual([])
    expect(decodeJwt(again).sub).toBe(decodeJwt(demo).sub)
    expect(decodeJwt(ann).sub).not.toBe(decodeJwt(demo).sub)
  })

  test('is of the demo user of /docs and of the banner, and leaves no warning in the log the first time', async () => {
    const own = secret((await (await fetch(`${server.url}/docs/token`)).text()).trim())
    const page = await (await fetch(`${server.url}/docs`)).text()
    const shown = secret(/&quot;token&quot;:&quot;([^&]+)&quot;/.exec(page)?.[1] ?? '')
    const subjects = [await token(), own, shown].map((each) => decodeJwt(each).sub)
    expect(new Set(subjects).size).toBe(1)
    await token('--user', 'first-time')
    await token('--user', 'first-time')
    const warnings = server.lines().filter(({ level }) => Number(level) >= 40)
    expect(warnings).toEqual([])
  })

  test('without a server: one sentence, 69, and nothing is written', async () => {
    const folder = join(await newFolder(), 'data')
    const { code, stdout, stderr } = await outcome(['token'], {
      DATA_DIR: folder,
      PORT: String(await freePort()),
    })
    expect([code, stdout]).toEqual([69, ''])
    expect(stderr).toMatch(/^No server answers at PORT: start it first .+\n$/)
    expect(existsSync(folder)).toBe(false)
  })

  test('at a server that is something else: one sentence, 69', async () => {
    const other = createServer((_request, response) => response.end('<h1>Hello</h1>'))
    const port = await freePort()
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    const { code, stderr } = await outcome(['token'], { DATA_DIR: dataDir, PORT: String(port) })
    other.close()
    expect(code).toBe(69)
    expect(stderr).toMatch(/^The server at PORT gave no token: .+\n$/)
  })

  test('with a DATA_DIR that is not the server’s: one sentence that names it, and nothing is made', async () => {
    const folder = join(await newFolder(), 'data')
    const { code, stdout, stderr } = await outcome(['token', '--user', 'bea'], { ...here, DATA_DIR: folder })
    expect([code, stdout]).toEqual([78, ''])
    expect(stderr).toMatch(/^DATA_DIR holds no readable secret of a built-in issuer: .+\n$/)
    expect(existsSync(folder)).toBe(false)
  })

  test('a user made under another DATA_DIR is told so, and another name works', async () => {
    await token('--user', 'cleo')
    const other = await newFolder()
    await writeFile(join(other, 'issuer-secret'), secret('of-quite-another-data-folder-0123456789'))
    const elsewhere = { ...here, DATA_DIR: other }
    const { code, stdout, stderr } = await outcome(['token', '--user', 'cleo'], elsewhere)
    expect([code, stdout]).toEqual([78, ''])
    expect(stderr).toBe(
      'This user was made under another DATA_DIR: use that one, or --user with another name.\n',
    )
    const named = await outcome(['token', '--user', 'dora'], elsewhere, { printsSecret: true })
    expect(named.code).toBe(0)
    secret(named.stdout.trim())
  })

  const production = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgresql://a:b@127.0.0.1:1/c',
    BETTER_AUTH_URL: 'https://app.example.com',
  }
  test.each<[where: string, environment: Environment, instead: string]>([
    ['in production', production, 'GET https://app.example.com/api/auth/token'],
    [
      'with a Better Auth of one’s own',
      { BETTER_AUTH_URL: 'http://localhost:3000' },
      'GET http://localhost:3000/api/auth/token',
    ],
    [
      'with a key set of somebody else',
      { AUTH_JWKS_URL: 'https://keys.test/set', AUTH_ISSUER: 'https://login.test', AUTH_AUDIENCE: 'api' },
      'the server that signs for https://login.test',
    ],
    [
      'with a shared secret',
      { AUTH_JWT_SECRET: 'x'.repeat(32), AUTH_JWT_ISSUER: 'login', AUTH_AUDIENCE: 'api' },
      'with the shared secret (AUTH_JWT_SECRET, HS256)',
    ],
  ])('is refused %s, with where tokens come from then', async (_where, environment, instead) => {
    const { code, stderr } = await outcome(['token'], { ...here, ...environment })
    expect(code).toBe(78)
    expect(stderr).toMatch(/^npx docket token is for the built-in issuer of development: .+\.\n$/)
    expect(stderr).toContain(instead)
  })

  test.each(['Ann', 'a b', '', 'a'.repeat(33)])('--user %j is wrong usage', async (name) => {
    const { code, stderr } = await outcome(['token', '--user', name], here)
    expect([code, stderr]).toEqual([2, '--user takes 1 to 32 small letters, digits and hyphens.\n'])
  })
})

const Report = z.object({
  ok: z.boolean(),
  findings: z.array(z.object({ check: z.string(), ok: z.boolean(), detail: z.string() })),
})

describe('docket doctor', () => {
  const faults = async (environment: Environment) => {
    const { code, stdout, stderr } = await outcome(['doctor'], environment)
    expect(stderr).toBe('')
    const report = Report.parse(JSON.parse(stdout))
    expect([code, report.ok]).toEqual(report.findings.every(({ ok }) => ok) ? [0, true] : [1, false])
    return report.findings.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`)
  }

  test('finds nothing wrong beside a running server, nor before the first start, and makes nothing', async () => {
    expect(await faults(here)).toEqual([])
    const folder = join(await newFolder(), 'not', 'yet')
    expect(await faults({ DATA_DIR: folder })).toEqual([])
    expect(existsSync(folder)).toBe(false)
  })

  test('says of every fault what to do, all in one go', async () => {
    const file = join(await newFolder(), 'file')
    await writeFile(file, '')
    expect(await faults({ DATA_DIR: join(file, 'data') })).toEqual([
      expect.stringMatching(/^data folder: DATA_DIR cannot be written: make the folder writable/),
    ])
    expect(await faults({ PORT: 'x', LOG_LEVEL: 'loud' })).toEqual([
      expect.stringMatching(
        /^settings: Docket cannot start: 2 settings are wrong[\s\S]+PORT[\s\S]+LOG_LEVEL/,
      ),
    ])
    expect(
      await faults({
        DATABASE_URL: `postgresql://ann:${secret('Sup3r-secret-passw0rd')}@127.0.0.1:1/tasks`,
        BETTER_AUTH_URL: server.url.replace(/\d+$/, '1'),
      }),
    ).toEqual([
      expect.stringMatching(/^database: DATABASE_URL cannot be used: nothing listens at its host and port/),
      expect.stringMatching(/^key set: The address gave no answer\. Check its scheme, host and port/),
    ])
    // A page where the key set should be, and a set of keys at the right place.
    expect(
      await faults({ ...here, AUTH_JWKS_URL: `${server.url}/docs`, AUTH_ISSUER: 'x', AUTH_AUDIENCE: 'x' }),
    ).toEqual([expect.stringMatching(/^key set: The answer is not JSON/)])
    expect(await faults({ ...here, BETTER_AUTH_URL: server.url })).toEqual([])
    expect(await faults({ ...here, CORS_ORIGIN: server.url })).toEqual([
      'settings: CORS_ORIGIN is no setting: CORS_ORIGINS is.',
    ])
  })

  test('with REUSE_PORT it has advice on the kernel, which is no fault', async () => {
    const { code, stdout } = await outcome(['doctor'], { ...here, REUSE_PORT: 'true' })
    expect(code).toBe(0)
    const advice = Report.parse(JSON.parse(stdout)).findings.find(({ check }) => check === 'hand-over')
    const setting = await readFile('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').catch(() => '')
    expect(advice?.detail).toMatch(
      setting === '1\n' ? /^what waits/ : /tcp_migrate_req=1 prevents|no setting against it/,
    )
  })

  test.each<[what: string, settings: Environment, advice: RegExp | undefined]>([
    ['without TRUSTED_PROXIES', {}, /all callers behind a proxy count as one address.+name the proxy there/],
    ['on loopback', { HOST: '127.0.0.1' }, /HOST is for this machine only.+set it to 127\.0\.0\.1,::1$/],
    ['with TRUSTED_PROXIES', { TRUSTED_PROXIES: '10.0.0.1' }, undefined],
    ['with no limit of addresses', { RATE_LIMIT_ADDRESS: '0' }, undefined],
    ['outside', { NODE_ENV: 'development' }, undefined],
  ])('in production it has advice on proxies, which is no fault: %s', async (_what, settings, advice) => {
    const { stdout } = await outcome(['doctor'], {
      NODE_ENV: 'production',
      DATABASE_URL: 'postgresql://a:b@127.0.0.1:1/c',
      BETTER_AUTH_URL: server.url.replace(/\d+$/, '1'),
      ...settings,
    })
    const found = Report.parse(JSON.parse(stdout)).findings.filter(({ check }) => check === 'proxies')
    expect(found).toEqual(
      advice === undefined ? [] : [{ check: 'proxies', ok: true, detail: expect.stringMatching(advice) }],
    )
  })

  test('reads as a list on a terminal', async () => {
    const { stdout } = await outcome(['doctor'], here, { nodeFlags: onTerminal })
    expect(stdout).toMatch(
      /^✓ settings +development, port \d+\n✓ data folder +.+\n✓ database +.+\n✓ keys +.+\n$/,
    )
  })
})

test('on a terminal the log is one readable line for each event', async () => {
  server.kill('SIGTERM')
  await server.ended
  const shown = await docket(['start'], {
    environment: { PORT: '0', DATA_DIR: dataDir, NO_COLOR: '1', CORS_ORIGIN: 'https://app.test' },
    nodeFlags: onTerminal,
  })
  const [, url] = await shown.says(/Docket is listening at (\S+)/)
  await shown.says(/WARN: a name is set that is no setting.+\{"given":"CORS_ORIGIN","meant":"CORS_ORIGINS"\}/)
  for (let i = 0; i < 3; i++) await fetch(`${url}/livez`)
  await shown.says(/INFO: \d more of the same within a second: 200 \/livez\n/)
  await shown.says(/^\[\d\d:\d\d:\d\d\] INFO: GET \/livez 200 in [\d.]+ ms \{"request_id":"[^"]+"\}\n/m)
  shown.kill('SIGTERM')
  await shown.ended
  expect(shown.stdout()).toMatch(/INFO: draining \{"signal":"SIGTERM"\}\n\[.+\] INFO: stopped\n$/)
})
