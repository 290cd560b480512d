#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { quickenImports } from './cli/quick-start.ts'

const usage = `Docket: the to-do backend behind a Better Auth sign-in.

Usage: npx docket <command> [options]

  start     run the server; settings come from the environment or a .env file
              --workers N   so many processes behind one port, at most one for each core; auto: that many
  migrate   bring the database up to date and restore missing rights; in production do this before start
  token     print a JWT of the demo user of the running server, the one of /docs (development only)
              --user NAME   somebody else: an owner with tasks of their own
  doctor    check settings, database, role, migrations, rights, policies and keys, and say what to do
  openapi   print the OpenAPI document

  --help    this text, also after a command
  --version

On a terminal, migrate and doctor answer in sentences; into a pipe or a file, in JSON.

Examples:
  npx docket start
  PORT=0 LOG_LEVEL=debug npx docket start
  DATABASE_URL=postgresql://... npx docket start --workers auto
  curl localhost:8000/api/v1/tasks -H "Authorization: Bearer $(npx docket token)"
  DATABASE_URL=postgresql://... npx docket migrate

Exit codes: 0 done, 1 doctor found a fault, 2 wrong usage, 69 something is out of reach, 70 crashed,
73 cannot write, 78 wrong settings.
`

type Options = { user: string; workers: string | undefined }

/** Each command loads only its own code, so that help is instant. */
const commands: Record<string, (options: Options) => Promise<number>> = {
  start: async ({ workers }) => {
    if (workers !== undefined) {
      const { startWorkers, workerCount } = await import('./cli/workers/workers.ts')
      const count = workerCount(workers)
      return startWorkers(count, (await import('./config.ts')).readEnvironment())
    }
    const [{ start }, { readEnvironment }] = await Promise.all([import('./main.ts'), import('./config.ts')])
    const { default: cluster } = await import('node:cluster')
    const primary = cluster.isWorker
      ? (await import('./cli/workers/worker.ts')).primaryOf(process)
      : undefined
    return start(readEnvironment(), primary)
  },
  migrate: async () => (await import('./cli/migrate.ts')).runMigrate(),
  token: async ({ user }) => (await import('./cli/token.ts')).runToken(user),
  doctor: async () => (await import('./cli/doctor.ts')).runDoctor(),
  openapi: async () => {
    const { describeApi } = await import('./app.ts')
    process.stdout.write(`${JSON.stringify(describeApi(), null, 2)}\n`)
    return 0
  },
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
      user: { type: 'string', default: 'demo' },
      workers: { type: 'string' },
    },
  })
  if (values.version) {
    const { default: manifest } = await import('../package.json', { with: { type: 'json' } })
    process.stdout.write(`${manifest.version}\n`)
    return 0
  }
  const [name, ...rest] = positionals
  if (values.help || name === 'help') {
    process.stdout.write(usage)
    return 0
  }
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined || rest.length > 0) {
    if (name === undefined) return refused('Which command?')
    return refused(command === undefined ? `There is no command "${name}".` : `${name} takes options only.`)
  }
  if (values.workers !== undefined && name !== 'start') return refused('--workers is for start.')
  return command({ user: values.user, workers: values.workers })
}

/** The reason comes last, where people look. */
function refused(reason: string): number {
  process.stderr.write(`${usage}\n${reason}\n`)
  return 2
}

quickenImports()
try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  process.exitCode = report(error)
}
// The open channel to the primary would keep a worker alive.
process.channel?.unref()

/** A failure with a sentence and an exit code prints only the sentence. Anything else is a defect and is thrown. */
function report(error: unknown): number {
  if (!(error instanceof Error)) throw error
  if ('exitCode' in error && typeof error.exitCode === 'number') {
    process.stderr.write(`${error.message}\n`)
    return error.exitCode
  }
  if ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
    // The rest of the message is about arguments that begin with a hyphen. Docket has none.
    return refused(`${error.message.split('. ')[0]}.`)
  }
  throw error
}
