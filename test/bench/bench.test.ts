import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { comparison } from '../../bench/chart.ts'
import { commandsUntil } from '../../bench/commands.ts'
import { type Contender, operations } from '../../bench/contender.ts'
import { outcomes } from '../../bench/expectations.ts'
import { peerNames } from '../../bench/peer.ts'
import { installed, peers } from '../../bench/peers.ts'
import { scriptOf } from '../../bench/pgbench.ts'
import { treeOf, usageOfTree } from '../../bench/process-usage.ts'
import { between, markdown } from '../../bench/report.ts'
import { type Figures, figuresOf, playRounds, spreadOf } from '../../bench/rounds.ts'
import { slopeOf } from '../../bench/soak.ts'
import { changedTitle, statementOf, taskId } from '../../bench/workload.ts'
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
    for (const option of [
      '--seconds',
      '--rounds',
      '--connections',
      '--json',
      '--write',
      '--against',
      '--soak',
    ])
      expect(stdout).toContain(option)
    for (const name of [...operations, ...peerNames]) expect(stdout).toContain(name)
  })

  test('without wrk it says how to get it, and fails', async () => {
    const { code, stderr } = await command([], { PATH: '' })
    expect(code).toBe(1)
    expect(stderr).toContain('apt-get install wrk')
  })

  test.each([
    [['--seconds', '0']],
    [['--operations', 'get,fly']],
    [['--peers', 'rails']],
    [['--soak', 'on']],
    [['--fast']],
  ])('%j is wrong usage', async (parameters) => {
    const { code, stderr } = await command(parameters)
    expect(code).toBe(2)
    expect(stderr).toContain('Usage:')
  })
})

test.each(operations)('pgbench runs the very statement of %s, every value a parameter', (operation) => {
  const { script, variables } = scriptOf(operation)
  const [, batch = ''] = script.split('\\startpipeline\n')
  expect(batch).not.toMatch(/\$\d/)
  for (const [name, value] of variables) {
    expect(batch).toContain(`:${name}`)
    // As a variable it would be the word.
    expect(value).not.toBe('null')
  }
  const named = new Map(variables)
  // Putting the values back in gives the compiled text with its values in place.
  const filled = batch.replace(/:(given\d+)/g, (_, name: string) => named.get(name) ?? 'missing')
  const { text, values } = statementOf(operation, {
    owner: ':owner',
    id: "('0190000000000' || :task)::uuid",
    title: `('${changedTitle}' || :count)`,
  })
  expect(filled).toContain(text.replace(/\$(\d+)/g, (_, n: string) => String(values[Number(n) - 1])))
})

test('ids of the benchmark are ids to the API, each task its own', () => {
  const ids = [taskId(0, 0), taskId(0, 99), taskId(1, 0), taskId(999, 99)]
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(TaskId.parse(id)).toBe(id)
})

const contender = (name: string, measure: Contender['measure'], foreign = false): Contender => ({
  ...{ name, foreign, measure },
  note: () => '',
  prepare: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
})

const shortRounds = { rounds: 2, seconds: 1, warmUpSeconds: 1, tell: () => undefined }

test('contenders take turns, in opposite order in every second round', async () => {
  const turns: string[] = []
  const answering = (name: string, requests: number) =>
    contender(name, async (_operation, seconds) => {
      turns.push(name)
      return { requests, seconds }
    })
  const { results } = await playRounds({
    ...shortRounds,
    operations: ['get'],
    contenders: [answering('a', 200), answering('b', 50)],
  })
  expect(turns).toEqual(['a', 'b', 'b', 'a'])
  const [, second] = figuresOf(results.get('get') ?? [])
  expect(second?.shareOfFirst).toEqual({ median: 0.25, least: 0.25, most: 0.25 })
})

test('a peer that fails under load loses its row of that operation and says why; our own failure ends the run', async () => {
  const failsAtGet: Contender['measure'] = async (operation, seconds) => {
    if (operation === 'get') throw new Error('3 answers were errors')
    return { requests: 1, seconds }
  }
  const steady = contender('steady', async (_operation, seconds) => ({ requests: 1, seconds }))
  const play = (other: Contender) =>
    playRounds({ ...shortRounds, operations: ['get', 'create'], contenders: [steady, other] })
  const { results, remarks } = await play(contender('peer', failsAtGet, true))
  const rowsOf = (operation: 'get' | 'create') => results.get(operation)?.map((series) => series.contender)
  expect(rowsOf('get')).toEqual(['steady'])
  expect(rowsOf('create')).toEqual(['steady', 'peer'])
  expect(remarks).toEqual(['Without get of peer: 3 answers were errors'])
  await expect(play(contender('ours', failsAtGet))).rejects.toThrow('3 answers')
})

const figures = (name: string, rate: number, cpu?: number): Figures => {
  const spread = (value: number) => ({ median: value, least: value, most: value })
  const cpuUsPerRequest = cpu === undefined ? undefined : spread(cpu)
  return { contender: name, requestsPerSecond: spread(rate), cpuUsPerRequest, samples: [] }
}

test('a promise is met or missed against the best form of a peer with one process', () => {
  const rows = [
    figures('pgbench', 100),
    { ...figures('docket', 60, 30), shareOfFirst: { median: 0.57, least: 0.5, most: 0.6 } },
    figures('FastAPI + SQLModel (async)', 1),
    figures('FastAPI + SQLModel (threads)', 3),
    figures('FastAPI + SQLModel (async, 2 workers)', 5),
    figures('bare node:http', 80, 10),
  ]
  const told = outcomes({ get: rows }).map(({ promise, expected, measured, met }) => [
    promise,
    expected,
    measured,
    met,
  ])
  expect(told).toEqual([
    ['of pgbench', '≥ 55 %', '57 %', true],
    ['the faster FastAPI + SQLModel', '≥ 30 ×', '20 ×', false],
    ['CPU of bare node:http', '≤ 1.5 ×', '3 ×', false],
  ])
})

test('the report says what each peer is, and shows a missed promise without failing', () => {
  const report = {
    ...{ date: '2026-11-20', machine: 'a machine', versions: ['wrk 4'], settings: { rounds: 2 } },
    notes: { docket: 'one process' },
    remarks: ['Without pocketbase: go is not installed.'],
    figures: { get: [figures('pgbench', 100), figures('docket', 50, 30), figures('PocketBase', 10, 60)] },
  }
  const text = markdown(report)
  expect(text).toContain('Without pocketbase: go is not installed.')
  expect(text).toMatch(/PocketBase +\| +10 \| +– \| +5\.00 × \|/)
  expect(text).toMatch(/get +\| +of pgbench \| +≥ 55 % \| +50 % \| \*\*missed\*\* \|/)
  const chart = comparison(report)
  for (const each of ['PocketBase', 'docket', 'get']) expect(chart).toContain(`>${each}</text>`)
  expect(chart).toMatch(/^<svg /)
})

test('every folder of bench/peers is a peer with its manifests and at least one way to start it', async () => {
  const folders = readdirSync('bench/peers').sort()
  expect(folders).toEqual(peers.map(({ name }) => name).sort())
  for (const { name, manifests, forms } of peers) {
    for (const manifest of manifests) expect(existsSync(join('bench/peers', name, manifest))).toBe(true)
    expect(forms.length).toBeGreaterThan(0)
  }
})

test('a peer whose tool is not there is left out, and the tool is named', async () => {
  const [peer] = peers
  if (peer === undefined) throw new Error('there are no peers')
  const commands = commandsUntil(AbortSignal.timeout(5_000))
  const found = await installed(commands, { ...peer, needs: ['no-such-program'] }, () => undefined)
  expect(found).toEqual({ missing: 'no-such-program is not installed.' })
})

test.runIf(existsSync('/proc/self/stat'))('the usage of a process includes its children', async () => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo up; wait'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(child.stdout, 'data')
    const tree = await treeOf(child.pid ?? 0)
    expect(tree).toHaveLength(2)
    const usage = await usageOfTree(child.pid ?? 0)
    expect(usage?.residentBytes).toBeGreaterThan(0)
    for (const pid of tree.toReversed()) process.kill(pid)
  } finally {
    child.kill()
  }
})

test('the slope of memory is that of the second half', () => {
  const growing = Array.from({ length: 20 }, (_, i) => ({
    minute: i / 2,
    residentMb: i < 10 ? i * 100 : 500 + i,
  }))
  expect(slopeOf(growing)).toBeCloseTo(2)
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
