import { existsSync } from 'node:fs'
import { rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  cleanUp,
  copyOf,
  createTask,
  type Docket,
  docket,
  leaks,
  listTasks,
  newFolder,
  root,
  run,
  startDocket,
  tokenOf,
} from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let dataDir: string
let first: Docket
beforeAll(async () => {
  dataDir = join(await newFolder(), 'deep', '.data')
  first = await startDocket({ DATA_DIR: dataDir })
})
afterAll(async () => {
  expect(leaks()).toEqual([])
  await cleanUp()
})

test('the first start makes the folder, says where everything is, and logs JSON when piped', async () => {
  expect(existsSync(join(dataDir, 'postgres'))).toBe(true)
  expect(first.stderr()).toContain(`Docket is listening at ${first.url}`)
  expect(first.stderr()).toContain(`${first.url}/docs`)
  expect((await fetch(`${first.url}/docs`)).status).toBe(200)
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
  await first.says(/"route":"\/readyz"/)
  expect(first.lines()).toContainEqual(
    expect.objectContaining({ event: 'start', environment: 'development' }),
  )
})

test('the banner’s block, pasted into a shell as it is, creates a task; pasted again, another of the same owner', async () => {
  const block = /^API=[\s\S]+/m.exec(first.stderr())?.[0] ?? ''
  // At the same moment, which is the most that pasting again can ask for.
  const shells = [1, 2, 3].map(() => run('sh', ['-c', block], { folder: root }))
  const made = await Promise.all(
    shells.map(async (shell) => {
      expect(await shell.ended).toEqual({ code: 0, signal: null })
      const [head = '', body = ''] = shell.stdout().split('\r\n\r\n')
      expect(head).toMatch(/^HTTP\/1\.1 201 /)
      expect(JSON.parse(body)).toMatchObject({ title: 'Buy milk', status: 'Todo' })
      const { id, owner_id } = JSON.parse(body)
      return { id, owner: owner_id }
    }),
  )
  expect(new Set(made.map(({ id }) => id)).size).toBe(3)
  expect(new Set(made.map(({ owner }) => owner)).size).toBe(1)
})

test('a second process on the same folder is refused in one sentence, by every path; the first is unharmed', async () => {
  const link = join(await newFolder(), 'link')
  await symlink(dataDir, link)
  for (const folder of [dataDir, link, `${dataDir}/../.data/`]) {
    for (const command of ['start', 'migrate']) {
      const second = await docket([command], { environment: { PORT: '0', DATA_DIR: folder } })
      expect(await second.ended).toEqual({ code: 69, signal: null })
      expect(second.stdout() + second.stderr()).toMatch(/^Another Docket is using DATA_DIR: .+\n$/)
    }
  }
  const token = await tokenOf(first.url, 'unharmed')
  await createTask(first.url, token, 'still served')
  expect(await listTasks(first.url, token)).toHaveLength(1)
})

test('what was acknowledged survives SIGKILL and SIGTERM, and the folder is free at once', async () => {
  const before = await tokenOf(first.url, 'kept')
  await createTask(first.url, before, 'acknowledged, then SIGKILL')
  first.kill('SIGKILL')
  expect(await first.ended).toEqual({ code: null, signal: 'SIGKILL' })

  const second = await startDocket({ DATA_DIR: dataDir })
  expect(second.stderr()).not.toContain('Making the embedded database')
  const token = await tokenOf(second.url, 'kept')
  await createTask(second.url, token, 'acknowledged, then SIGTERM')
  second.kill('SIGTERM')
  expect(await second.ended).toEqual({ code: 0, signal: null })

  const third = await startDocket({ DATA_DIR: dataDir })
  const titles = (await listTasks(third.url, await tokenOf(third.url, 'kept'))).map(({ title }) => title)
  expect(titles.sort()).toEqual(['acknowledged, then SIGKILL', 'acknowledged, then SIGTERM'])
  third.kill('SIGKILL')
  await third.ended
})

test('a first start that is killed at any of its steps leaves a folder that the next start opens', async () => {
  const folder = await newFolder()
  // While it is made, and when it is whole but not migrated.
  for (const step of ['postgres.unfinished/base', 'postgres']) {
    const killed = await docket(['start'], { environment: { PORT: '0', DATA_DIR: folder } })
    await killed.says(/Making the embedded database/)
    await vi.waitUntil(() => existsSync(join(folder, step)), { timeout: 20_000, interval: 2 })
    killed.kill('SIGKILL')
    expect(await killed.ended).toEqual({ code: null, signal: 'SIGKILL' })
    expect(existsSync(join(folder, 'postgres'))).toBe(step === 'postgres')
  }
  const next = await startDocket({ DATA_DIR: folder })
  await createTask(next.url, await tokenOf(next.url, 'ann'), 'after two kills')
  next.kill('SIGKILL')
  await next.ended
})

test('an embedded database that does not open is told in one sentence', async () => {
  const folder = await copyOf(dataDir)
  await rm(join(folder, 'postgres', 'global'), { recursive: true })
  const broken = await docket(['start'], { environment: { PORT: '0', DATA_DIR: folder } })
  expect(await broken.ended).toEqual({ code: 73, signal: null })
  expect(broken.stderr()).toMatch(/^The embedded database in DATA_DIR does not open: .+\n$/m)
})
