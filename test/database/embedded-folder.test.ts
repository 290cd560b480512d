import { chmod, cp, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { developmentSecret } from '../../src/auth/built-in/development-secret.ts'
import { openEmbedded } from '../../src/database/embedded/embedded.ts'

/** A folder that was there before the first start, as `mkdir` or a volume makes it: everybody may enter and write. */
let dataDir: string
let firstSeen: string
beforeAll(async () => {
  dataDir = await folderForAll()
  const unfinished = join(dataDir, 'postgres.unfinished')
  const opened = openEmbedded(dataDir, () => undefined)
  const look = () => rightsOf(unfinished).catch(() => undefined)
  firstSeen = await vi.waitUntil(look, { timeout: 30_000, interval: 1 })
  const { pglite, close } = await opened
  await pglite.exec('create table kept as select generate_series(1, 10000) as n')
  await close()
})
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true })
})

const folders: string[] = []
async function folderForAll(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'docket-embedded-'))
  folders.push(folder)
  await chmod(folder, 0o777)
  return folder
}

const rightsOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

test('the database is closed to other users before its first file is made', () => {
  expect(firstSeen).toBe('700')
})

test('the database in a folder that existed belongs to its user alone; the folder keeps its rights', async () => {
  expect(await rightsOf(join(dataDir, 'postgres'))).toBe('700')
  expect(await rightsOf(dataDir)).toBe('777')
})

test('a database that is open to other users is closed at the next start, and keeps its rows', async () => {
  const copy = await folderForAll()
  await cp(dataDir, copy, { recursive: true })
  const home = join(copy, 'postgres')
  await chmod(home, 0o777)
  const { pglite, close } = await openEmbedded(copy, () => undefined)
  expect((await pglite.query('select count(*)::int from kept')).rows).toEqual([{ count: 10_000 }])
  await close()
  expect(await rightsOf(home)).toBe('700')
})

test('a development secret that is open to other users is closed at the next start, and stays the same', async () => {
  const folder = await folderForAll()
  const made = await developmentSecret(folder)
  const file = join(folder, 'issuer-secret')
  expect(await rightsOf(file)).toBe('600')
  await chmod(file, 0o666)
  expect(await developmentSecret(folder)).toBe(made)
  expect(await rightsOf(file)).toBe('600')
})
