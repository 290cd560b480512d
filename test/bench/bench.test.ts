import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type Contender, operations } from '../../bench/contender.ts'
import { scriptOf } from '../../bench/pgbench.ts'
import { between } from '../../bench/report.ts'
import { figuresOf, playRounds, spreadOf } from '../../bench/rounds.ts'
import { statementOf, taskId } from '../../bench/workload.ts'
import { TaskId } from '../../src/tasks/schemas.ts'

const command = (parameters: string[], env: NodeJS.ProcessEnv = process.env) =>
  promisify(execFile)(process.execPath, [join('bench', 'run.ts'), ...parameters], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )

describe('npm run bench', () => {
  test('--help teaches every option', async () => {
    const { code, stdout } = await command(['--help'])
    expect(code).toBe(0)
    for (const option of ['--seconds', '--rounds', '--connections', '--json', '--write', '--against'])
      expect(stdout).toContain(option)
  })

  test('without wrk it says how to get it, and fails', async () => {
    const { code, stderr } = await command([], { PATH: '' })
    expect(code).toBe(1)
    expect(stderr).toContain('apt-get install wrk')
  })

  test.each([[['--seconds', '0']], [['--operations', 'list,fly']], [['--fast']]])(
    '%j is wrong usage',
    async (parameters) => {
      const { code, stderr } = await command(parameters)
      expect(code).toBe(2)
      expect(stderr).toContain('Usage:')
    },
  )
})

test.each(operations)('pgbench runs the very statement of %s, every value a parameter', (operation) => {
  const { script, variables } = scriptOf(operation)
  const [, batch = ''] = script.split('\\startpipeline\n')
  expect(batch).not.toMatch(/\$\d/)
  for (const [name] of variables) expect(batch).toContain(`:${name}`)
  const named = new Map(variables)
  // Putting the values back in gives the compiled text with its values in place.
  const filled = batch.replace(/:(given\d+)/g, (_, name: string) => named.get(name) ?? 'missing')
  const { text, values } = statementOf(operation, ':owner', "('0190000000000' || :task)::uuid")
  expect(filled).toContain(text.replace(/\$(\d+)/g, (_, n: string) => String(values[Number(n) - 1])))
})

test('ids of the benchmark are ids to the API, each task its own', () => {
  const ids = [taskId(0, 0), taskId(0, 99), taskId(1, 0), taskId(999, 99)]
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(TaskId.parse(id)).toBe(id)
})

test('contenders take turns, in opposite order in every second round', async () => {
  const turns: string[] = []
  const contender = (name: string, requests: number): Contender => ({
    name,
    note: () => '',
    prepare: async () => undefined,
    measure: async (_operation, seconds) => {
      turns.push(name)
      return { requests, seconds }
    },
    [Symbol.asyncDispose]: async () => undefined,
  })
  const results = await playRounds({
    operations: ['list'],
    contenders: [contender('a', 200), contender('b', 50)],
    ...{ rounds: 2, seconds: 1, warmUpSeconds: 1, tell: () => undefined },
  })
  expect(turns).toEqual(['a', 'b', 'b', 'a'])
  const [, second] = figuresOf(results.get('list') ?? [])
  expect(second?.shareOfFirst).toEqual({ median: 0.25, least: 0.25, most: 0.25 })
})

test('a median of an even number of values lies between the two in the middle; a missing value leaves nothing', () => {
  expect(spreadOf([4, 1, 3, 100])).toEqual({ median: 3.5, least: 1, most: 100 })
  expect(spreadOf([1, undefined])).toBeUndefined()
  expect(spreadOf([])).toBeUndefined()
})

test('figures replace what stands between the markers, and nothing else', () => {
  const page = 'a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nb\n'
  expect(between(page, 'new')).toBe('a\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nb\n')
  expect(() => between('a page', 'new')).toThrow('lacks')
})
