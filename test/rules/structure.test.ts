import { describe, expect, test } from 'vitest'
import { importsOf, linesWith, pathsBelow, type SourceFile, sourcesBelow } from './source.ts'

/** Gives each offence as `path:line` and what it does there. */
type Rule = (sources: readonly SourceFile[]) => string[]

const importsWhere =
  (offends: (from: string, to: string) => boolean): Rule =>
  (sources) =>
    sources.flatMap((source) =>
      importsOf(source)
        .filter(({ to }) => offends(source.path, to))
        .map(({ to, line }) => `${source.path}:${line} imports ${to}`),
    )

const readsTheEnvironment: Rule = (sources) =>
  sources
    .filter(({ path }) => path !== 'src/config.ts')
    .flatMap((source) =>
      linesWith(
        source,
        /\bprocess\s*(\??\.\s*(env|loadEnvFile)\b|\??\.?\[)|\benv\b.*['"](node:)?process['"]/,
      ),
    )

const isTooLong: Rule = (sources) =>
  sources
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > 300)
    .map(({ path, lines }) => `${path}:301 is one of ${lines} lines`)

/** Which rooms a room may import from. Files without a row (`main`, `cli`, `index`) are above all and free. */
const below: Record<string, readonly string[]> = {
  errors: [],
  events: [],
  config: ['errors'],
  database: ['config', 'events', 'errors'],
  auth: ['config', 'events', 'errors'],
  api: ['auth', 'database', 'errors'],
  http: ['api', 'auth', 'database', 'config', 'events', 'errors'],
  health: ['http', 'api', 'errors'],
  caller: ['http', 'api', 'auth', 'database', 'events', 'errors'],
  tasks: ['api', 'database', 'errors'],
  operations: ['tasks', 'caller', 'api'],
  app: ['operations', 'caller', 'health', 'http', 'api', 'auth', 'database', 'config', 'events', 'errors'],
}

/** Nouns of the domain, which stand in their own room, in `operations.ts` and in migrations. */
const nouns = /\b(?<!Neon )(tasks?|projects?)\b/i

const saysANoun: Rule = (sources) =>
  sources
    .filter(
      ({ path }) => /^src\/(api|http|database|auth)\//.test(path) && !path.endsWith('/made-by-migrations.ts'),
    )
    .flatMap((source) => linesWith(source, nouns))

/** The folder of a file, which is a room however deep it is. */
const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'))

const importsBack: Rule = (sources) => {
  const pairs = new Map<string, string>()
  for (const source of sources)
    for (const { to, line } of importsOf(source)) {
      const [from, other] = [folderOf(source.path), folderOf(to)]
      if (
        to.startsWith('src/') &&
        other.startsWith('src') &&
        from !== other &&
        from !== 'src' &&
        other !== 'src'
      )
        pairs.set(`${from} ${other}`, `${source.path}:${line}`)
    }
  return [...pairs].flatMap(([pair, place]) => {
    const [from = '', other = ''] = pair.split(' ')
    return from < other && pairs.has(`${other} ${from}`)
      ? [`${place} imports ${other}, which imports ${from}`]
      : []
  })
}

const isCrowded: Rule = (sources) => {
  const counts = Map.groupBy(sources, ({ path }) => folderOf(path))
  return [...counts]
    .filter(([, files]) => files.length > 13)
    .map(([folder, files]) => `${folder} holds ${files.length}`)
}

const roomOf = (path: string) => /^src\/([^/.]+)/.exec(path)?.[1]

const looksUp = importsWhere((from, to) => {
  const [room, other] = [roomOf(from) ?? '', roomOf(to)]
  return other !== undefined && other !== room && below[room]?.includes(other) === false
})

const tasksReachADatabase = importsWhere(
  (from, to) =>
    roomOf(from) === 'tasks' &&
    (/^(pg|@electric-sql|@neondatabase)(\/|$)|^drizzle-orm\/(?!pg-core$)/.test(to) ||
      (roomOf(to) === 'database' && !to.startsWith('src/database/statements/'))),
)

const knowsHttpBelowIt = importsWhere(
  (from, to) =>
    ['errors', 'config', 'database', 'api', 'tasks'].includes(roomOf(from) ?? '') &&
    /^(@?hono|node:http)(\/|$)/.test(to),
)

const importsInCircles: Rule = (sources) => {
  const edges = new Map(sources.map((source) => [source.path, importsOf(source)]))
  const cleared = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, trail: readonly string[]) => {
    if (cleared.has(path)) return
    for (const { to, line } of edges.get(path) ?? []) {
      const start = [...trail, path].indexOf(to)
      if (start === -1) visit(to, [...trail, path])
      else circles.push(`${path}:${line} closes ${[...trail, path].slice(start).concat(to).join(' → ')}`)
    }
    cleared.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return circles
}

const saysNothing = (paths: readonly string[]) =>
  paths.filter((path) =>
    /(^|[/-])(utils?|helpers?|common|misc|services?|managers?|dtos?)([/.-]|$)/i.test(path),
  )

describe('the structure of the source', () => {
  const sources = sourcesBelow('src')

  test('is looked at', () => {
    expect(sources.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['src/errors.ts', 'src/config/values.ts']),
    )
  })

  test.each<[guarantee: string, rule: Rule]>([
    ['only src/config.ts reads the process environment', readsTheEnvironment],
    ['no file is longer than 300 lines', isTooLong],
    ['no room imports from one above it', looksUp],
    ['tasks know statements and columns, never a pool, a client or a driver', tasksReachADatabase],
    ['errors, configuration, database, operations and nouns know nothing of HTTP', knowsHttpBelowIt],
    ['no modules import each other in a circle, types included', importsInCircles],
    ['no two folders import each other', importsBack],
    ['no folder holds more than 13 files', isCrowded],
    ['a noun of the domain stands in its own room only', saysANoun],
  ])('%s', (_guarantee, rule) => {
    expect(rule(sources)).toEqual([])
  })

  test('no file or folder has a name that says nothing', () => {
    expect(
      saysNothing(['src', 'test', 'scripts', 'bench', 'docs', 'migrations'].flatMap(pathsBelow)),
    ).toEqual([])
  })
})

describe('each rule finds its offence', () => {
  const file = (path: string, ...lines: string[]): SourceFile => ({ path, text: `${lines.join('\n')}\n` })

  test.each<[offence: string, rule: Rule, offender: SourceFile]>([
    ['src/main.ts:2', readsTheEnvironment, file('src/main.ts', '', 'listen(process.env.PORT)')],
    ['src/main.ts:1', readsTheEnvironment, file('src/main.ts', "process['env']")],
    ['src/main.ts:1', readsTheEnvironment, file('src/main.ts', "import { env } from 'node:process'")],
    ['src/main.ts:301 is one of 301 lines', isTooLong, file('src/main.ts', ...Array(301).fill('x()'))],
    [
      'src/database/database.ts:2 imports src/http/answer/problem.ts',
      looksUp,
      file('src/database/database.ts', 'x()', 'import {', '  fail,', "} from '../http/answer/problem.ts'"),
    ],
    ['src/errors.ts:1 imports src/config.ts', looksUp, file('src/errors.ts', "export * from './config.ts'")],
    [
      'src/config.ts:1 imports src/http/gate/cors.ts',
      looksUp,
      file('src/config.ts', "import './http/gate/cors.ts'"),
    ],
    ['src/app.ts:1 imports src/main.ts', looksUp, file('src/app.ts', "await import('./main.ts')")],
    [
      'src/http/gate/cors.ts:1 imports src/app.ts',
      looksUp,
      file('src/http/gate/cors.ts', "import type { A } from '../../app.ts'"),
    ],
    [
      'src/tasks/operations.ts:1 imports src/database/database.ts',
      tasksReachADatabase,
      file('src/tasks/operations.ts', "import type { Database } from '../database/database.ts'"),
    ],
    [
      'src/tasks/operations.ts:1 imports pg',
      tasksReachADatabase,
      file('src/tasks/operations.ts', "import pg from 'pg'"),
    ],
    [
      'src/tasks/operations.ts:1 imports drizzle-orm/node-postgres',
      tasksReachADatabase,
      file('src/tasks/operations.ts', "import { drizzle } from 'drizzle-orm/node-postgres'"),
    ],
    ['src/errors.ts:1 imports hono', knowsHttpBelowIt, file('src/errors.ts', "import { Hono } from 'hono'")],
    [
      'src/a.ts:1 closes src/a.ts → src/a.ts',
      importsInCircles,
      file('src/a.ts', "import { a } from './a.ts'"),
    ],
  ])('%s', (offence, rule, offender) => {
    expect(rule([offender])).toEqual([offence])
  })

  test('a circle of three files is told in full, and one of types counts too', () => {
    const three = [
      file('src/a.ts', "import { b } from './b.ts'"),
      file('src/b.ts', "import { c } from './c.ts'"),
      file('src/c.ts', "import { a } from './a.ts'"),
    ]
    expect(importsInCircles(three)).toEqual(['src/c.ts:1 closes src/a.ts → src/b.ts → src/c.ts → src/a.ts'])
    expect(
      importsInCircles([...three.slice(0, 2), file('src/c.ts', "import type { a } from './a.ts'")]),
    ).toHaveLength(1)
  })

  test('a name that says nothing is found as folder, file or part of either', () => {
    const bad = [
      'src/utils/x.ts',
      'src/http/helpers.ts',
      'test/task-helper.ts',
      'src/common.ts',
      'src/misc/a/b.ts',
    ]
    expect(saysNothing([...bad, 'src/http/community.ts', 'docs/adr/0001-miscarried.md'])).toEqual(bad)
  })
})
