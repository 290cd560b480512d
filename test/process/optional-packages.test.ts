import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { optionalPackages } from '../../src/config/optional-packages.ts'
import { cleanUp, docket, type Environment, newFolder, root } from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

afterAll(cleanUp)

/** Node answers as it does where these packages are not installed. */
const notInstalled = (names: RegExp) => [
  '--import',
  `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module'
    const resolve = (specifier, context, next) => {
      if (!${names}.test(specifier)) return next(specifier, context)
      throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    }
    registerHooks({ resolve })`)}`,
]

async function outcome(args: readonly string[], names: RegExp, environment: Environment) {
  const running = await docket(args, {
    environment: { PORT: '0', ...environment },
    nodeFlags: notInstalled(names),
  })
  const { code } = await running.ended
  return { code, stdout: running.stdout(), stderr: running.stderr() }
}

const everything = /^(@electric-sql\/pglite|better-auth|kysely)(\/|$)/
const lacking = 'Docket lacks packages that only development needs: npm install --save-dev'

test.each<[what: string, args: string[], names: RegExp, environment: Environment, sentence: string]>([
  [
    'a start without settings names all packages at once',
    ['start'],
    everything,
    {},
    `${lacking} @electric-sql/pglite@0.5 better-auth@1.7 kysely@0.28, or set DATABASE_URL and BETTER_AUTH_URL.\n`,
  ],
  [
    'a start with a Better Auth of its own needs PGlite only',
    ['start'],
    everything,
    { BETTER_AUTH_URL: 'http://127.0.0.1:1' },
    `${lacking} @electric-sql/pglite@0.5, or set DATABASE_URL.\n`,
  ],
  [
    'a start that lacks Kysely alone names what belongs together',
    ['start'],
    /^kysely$/,
    {},
    `${lacking} better-auth@1.7 kysely@0.28, or set BETTER_AUTH_URL.\n`,
  ],
  [
    'a migration of the embedded database needs PGlite only',
    ['migrate'],
    everything,
    {},
    `${lacking} @electric-sql/pglite@0.5, or set DATABASE_URL.\n`,
  ],
])('%s, and makes nothing', async (_what, args, names, environment, sentence) => {
  const dataDir = join(await newFolder(), 'data')
  const said = await outcome(args, names, { DATA_DIR: dataDir, ...environment })
  expect(said).toEqual({ code: 78, stdout: '', stderr: sentence })
  expect(existsSync(dataDir)).toBe(false)
})

test('the versions that are named are those that the tests run', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const { packages } of Object.values(optionalPackages))
    for (const named of packages) {
      const [, name = '', version] = /^(.+)@([\d.]+)$/.exec(named) ?? []
      expect(devDependencies[name]).toMatch(new RegExp(`^${version}\\.`))
    }
})
