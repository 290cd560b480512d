import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bringUpToDate, environmentExample, generatedFiles, withTable } from '../../scripts/generate.ts'
import { type Variable, variables } from '../../src/config/variables.ts'
import { loadConfig } from '../../src/config.ts'

const settings: Variable[] = Object.values(variables)
const markers = 'Before\n<!-- configuration:start -->\nold\n<!-- configuration:end -->\nAfter\n'

describe('.env.example', () => {
  test('as it stands sets nothing', () => {
    expect(parseEnv(environmentExample(settings))).toEqual({})
  })

  test('with its settings taken out of their comments gives each default, or else the example', () => {
    const set = parseEnv(environmentExample(settings).replace(/^#(?=[A-Z_]+=)/gm, ''))
    expect(set).toEqual(Object.fromEntries(settings.map((one) => [one.name, one.default ?? one.example])))
  })

  test('shows the defaults that really hold', () => {
    const defaults = settings.flatMap((one) => (one.default === undefined ? [] : [[one.name, one.default]]))
    expect(loadConfig(Object.fromEntries(defaults))).toEqual(loadConfig({}))
  })
})

describe('the configuration table', () => {
  test('has one row for each setting and leaves the text around it alone', () => {
    const text = withTable(markers, settings)
    expect(text).toMatch(/^Before\n<!-- configuration:start -->\n\| variable /)
    expect(text).toMatch(/ \|\n<!-- configuration:end -->\nAfter\n$/)
    expect([...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name)).toEqual(
      settings.map(({ name }) => name),
    )
    for (const row of text.split('\n').filter((line) => line.startsWith('|')))
      expect(row.match(/(?<!\\)\|/g)).toHaveLength(4)
  })

  test('written twice is the same', () => {
    expect(withTable(withTable(markers, settings), settings)).toBe(withTable(markers, settings))
  })
})

describe('a generated file', () => {
  let folder: string
  const file = { path: 'made.txt', produce: () => 'made\n' }
  const table = { path: 'TABLE.md', produce: (current: string) => withTable(current, settings) }
  const broken = { path: 'broken.txt', produce: () => Promise.reject(new Error('no such schema')) }
  const read = (path: string) => readFileSync(join(folder, path), 'utf8')

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'docket-generated-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  test('that is missing or stale is named by a check, which writes nothing', async () => {
    expect(await bringUpToDate(folder, file, true)).toBe('is missing')
    expect(() => read('made.txt')).toThrow('ENOENT')
    writeFileSync(join(folder, 'made.txt'), 'by hand\n')
    expect(await bringUpToDate(folder, file, true)).toBe('is stale')
    expect(read('made.txt')).toBe('by hand\n')
  })

  test('is written, and then the check is content', async () => {
    expect(await bringUpToDate(folder, file, false)).toBeUndefined()
    expect(read('made.txt')).toBe('made\n')
    expect(await bringUpToDate(folder, file, true)).toBeUndefined()
  })

  test('without a place for its table is passed over by writing and named by a check', async () => {
    writeFileSync(join(folder, 'TABLE.md'), 'no table here\n')
    expect(await bringUpToDate(folder, table, false)).toBeUndefined()
    expect(read('TABLE.md')).toBe('no table here\n')
    expect(await bringUpToDate(folder, table, true)).toMatch(/no lines <!-- configuration:start -->/)
  })

  test('that cannot be produced is named, in a check and in writing, with the reason', async () => {
    expect(await bringUpToDate(folder, broken, true)).toBe('cannot be produced: no such schema')
    expect(await bringUpToDate(folder, broken, false)).toBe('cannot be produced: no such schema')
  })

  test('has its place in the list', () => {
    expect(generatedFiles.map(({ path }) => path)).toEqual([
      '.env.example',
      'docs/CONFIGURATION.md',
      'openapi.json',
      'src/database/protection/made-by-migrations.ts',
    ])
  })
})
