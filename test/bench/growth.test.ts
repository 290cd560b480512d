import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { callers, callersOf } from '../../bench/growth/data.ts'
import { latencyOf } from '../../bench/growth/load.ts'
import { between, figuresOf } from '../../bench/growth/report.ts'
import { TaskId } from '../../src/tasks/schemas.ts'

const command = (...parameters: string[]) =>
  promisify(execFile)(process.execPath, [join('bench', 'growth', 'run.ts'), ...parameters]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )

describe('npm run bench:growth', () => {
  test('--help teaches every option', async () => {
    const { code, stdout } = await command('--help')
    expect(code).toBe(0)
    for (const option of ['--tasks', '--minutes', '--rounds', '--seconds', '--json', '--write'])
      expect(stdout).toContain(option)
  })

  test.each([[['--tasks', '10000,77']], [['--minutes', '0']], [['--fast']]])(
    '%j is wrong usage',
    async (parameters) => {
      const { code, stderr } = await command(...parameters)
      expect(code).toBe(2)
      expect(stderr).toContain('Usage:')
    },
  )
})

test('those who call are as many at every size, and no two of them share a task', () => {
  for (const tasks of [10_000, 1_000_000]) {
    const { small, large } = callersOf(tasks)
    const ids = [...small, large].flatMap((caller) => [caller.ids(0), caller.ids(caller.tasks - 1)])
    expect(new Set(small.map(({ owner }) => owner)).size).toBe(callers)
    expect(new Set(ids).size).toBe(2 * (callers + 1))
    for (const id of ids) expect(TaskId.parse(id)).toBe(id)
  }
})

test('of a hundred requests the 99th percentile is the slowest, and the median the one in the middle', () => {
  const times = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(latencyOf(times)).toEqual({ requests: 100, p50Ms: 51, p99Ms: 100 })
})

test('a ratio compares rounds that were played together, so that a slow moment of the machine cancels out', () => {
  const cell = (tasks: number, p50s: number[]) => ({
    ...{ tasks, operation: 'get', clients: 1 },
    rounds: p50s.map((p50Ms) => ({ requests: 1, p50Ms, p99Ms: p50Ms })),
  })
  const figures = figuresOf([cell(10, [1, 10, 2]), cell(100, [2, 20, 4])])
  expect(figures.map(({ ratio }) => ratio)).toEqual([1, 2])
  expect(figures.map(({ p50Ms }) => p50Ms)).toEqual([2, 4])
})

test('figures replace what stands between the markers, and nothing else', () => {
  const page = 'a\n<!-- growth:begin -->\nold\n<!-- growth:end -->\nb\n'
  expect(between(page, 'new')).toBe('a\n<!-- growth:begin -->\nnew\n<!-- growth:end -->\nb\n')
  expect(() => between('a page', 'new')).toThrow('lacks')
})
