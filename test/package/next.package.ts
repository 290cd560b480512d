import { randomBytes } from 'node:crypto'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { cleanUp, newFolder, type Running } from '../support/process.ts'
import { admin, freePort, withDatabase } from '../support/real-postgres.ts'
import { ownLines } from './own-lines.ts'
import { Reader } from './reader.ts'
import { nextApp } from './versions.ts'

const { node22, node24 } = inject('runtimes')
const databaseName = `docket_next_${randomBytes(6).toString('hex')}`
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

let reader: Reader
let url: string
let server: Running | undefined
let browser: BrowserContext | undefined

/** Stands for `npx auth migrate`, which makes the tables of Better Auth and of its plugins. */
const migrateAuth = 'node --env-file=.env --disable-warning=MODULE_TYPELESS_PACKAGE_JSON migrate-auth.mjs'
const build = 'node node_modules/next/dist/bin/next build'
const nextStart = 'node node_modules/next/dist/bin/next start --hostname 127.0.0.1'

/** An app with Better Auth as its developer left it, with a database of its own. */
beforeAll(async () => {
  const postgres = inject('postgresUrl')
  await admin(postgres, `create database ${databaseName}`)
  url = `http://127.0.0.1:${await freePort()}`
  reader = await Reader.with(node24, { dependencies: nextApp })
  await reader.copy('next')
  await reader.write(
    '.env',
    [
      `DATABASE_URL=${withDatabase(postgres, databaseName)}`,
      `BETTER_AUTH_URL=${url}`,
      `BETTER_AUTH_SECRET=${randomBytes(32).toString('base64url')}`,
    ].join('\n'),
  )
  await reader.run('npm install --no-audit --no-fund')
  await reader.run(migrateAuth)
  reader.commands.length = 0
})
afterEach(async () => {
  await browser?.close()
  browser = undefined
  server?.kill('SIGTERM')
  await server?.ended
})
afterAll(async () => {
  await cleanUp()
  await admin(inject('postgresUrl'), `drop database if exists ${databaseName} with (force)`)
})

async function serve(command: string, environment: Record<string, string> = {}) {
  const { port } = new URL(url)
  server = reader.start(command, {
    PORT: port,
    HOSTNAME: '127.0.0.1',
    NODE_ENV: 'production',
    ...environment,
  })
  await server.says(/Ready in/)
}

async function openPage(): Promise<Page> {
  browser = await chromium.launchPersistentContext(await newFolder(), {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: flags,
  })
  const [page] = browser.pages()
  if (page === undefined) throw new Error('Chromium has no tab')
  await page.goto(url)
  return page
}

async function signUp(page: Page, name: string) {
  await page.getByPlaceholder('Name').fill(name)
  await page.getByPlaceholder('E-mail').fill(`${name.toLowerCase()}@example.com`)
  await page.getByPlaceholder('Password').fill('correct horse battery')
  await page.getByRole('button', { name: 'Sign up' }).click()
  await page.getByText(`Signed in as ${name}`).waitFor()
}

test('a Next.js app with Better Auth mounts the API in 4 lines, and needs 3 commands until its first task', async () => {
  const lines = await ownLines('next', 'next-docket')
  await reader.copy('next-docket')
  await reader.run(`npm install ${inject('tarball')}`)
  await reader.run(migrateAuth)
  await reader.run('npx docket migrate')
  expect(reader.commands).toHaveLength(3)
  expect(lines).toEqual({
    'app/api/v1/[...path]/route.ts': 4,
    // The plugin of Better Auth that makes tokens.
    'lib/auth.ts': 2,
    // Fetches a token and calls the API with it.
    'lib/api.ts': 6,
  })
})

test('the app builds for production, without a database and without a word of configuration', async () => {
  const said = await reader.run(build, { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' })
  expect(said).toMatch(/Turbopack[\s\S]+ƒ \/api\/v1\/\[\.\.\.path\]/)
})

test.each([
  ['24', node24],
  ['22', node22],
])(
  'on Node %s, in Chromium: tasks outlive a reload, and a second user sees none of them',
  async (version, node) => {
    await serve(nextStart.replace('node', node))
    const page = await openPage()
    const hosts = new Set<string>()
    page.on('request', (request) => hosts.add(new URL(request.url()).host))

    await signUp(page, `Ann${version}`)
    await page.getByText('No tasks').waitFor()
    await page.getByPlaceholder('New task').fill('Buy milk')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.getByText('Buy milk (Todo)').waitFor()
    await page.getByRole('button', { name: 'Complete' }).click()
    await page.getByText('Buy milk (Done)').waitFor()
    await page.reload()
    await page.getByText('Buy milk (Done)').waitFor()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign up' }).waitFor()
    expect(await page.getByText('Buy milk').count()).toBe(0)
    await signUp(page, `Bob${version}`)
    await page.getByText('No tasks').waitFor()
    expect(await page.getByText('Buy milk').count()).toBe(0)
    expect([...hosts]).toEqual([new URL(url).host])
  },
)

test('a preflight of an allowed origin is answered by the API, and not by Next.js', async () => {
  await serve(nextStart, { CORS_ORIGINS: 'https://phone.example.com' })
  const response = await fetch(`${url}/api/v1/tasks`, {
    method: 'OPTIONS',
    headers: { origin: 'https://phone.example.com', 'access-control-request-method': 'POST' },
  })
  expect(response.status).toBe(204)
  expect(response.headers.get('access-control-allow-origin')).toBe('https://phone.example.com')
})

test('the app joins its users with the tasks in Drizzle, built with the package outside the bundle', async () => {
  await reader.copy('next-external')
  await reader.copy('next-join')
  await reader.run('npm install drizzle-orm@0.45')
  await reader.run(build)
  await serve('node .next/standalone/server.js')
  const response = await fetch(`${url}/api/summary`)
  expect(await response.json()).toEqual([
    { name: 'Ann22', tasks: 1 },
    { name: 'Ann24', tasks: 1 },
    { name: 'Bob22', tasks: 0 },
    { name: 'Bob24', tasks: 0 },
  ])
  expect((await fetch(`${url}/api/v1/tasks`)).status).toBe(401)
})
