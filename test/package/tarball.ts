import { execFile } from 'node:child_process'
import { mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { TestProject } from 'vitest/node'
import { plainEnvironment } from './reader.ts'
import { runtimes } from './versions.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The package as `npm pack` makes it. */
    tarball: string
    /** The executables of the runtimes; `node24` is the pinned one of the repository. */
    runtimes: {
      readonly node22: string
      readonly node24: string
      readonly bun: string
      readonly deno: string
    }
  }
}

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

/** Builds and packs the package, and installs the runtimes, once for all files. What it makes it removes. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Deno resolves links, and would take one folder for two.
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'docket-package-')))
  project.provide('tarball', await pack(folder))
  project.provide('runtimes', await installRuntimes(folder))
  return () => rm(folder, { recursive: true, force: true })
}

async function pack(folder: string): Promise<string> {
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root })
  const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'))
  return join(folder, name)
}

async function installRuntimes(folder: string) {
  const bin = join(folder, 'node_modules')
  const allowScripts = Object.fromEntries(Object.keys(runtimes).map((name) => [name, true]))
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, dependencies: runtimes, allowScripts }),
  )
  await run('npm', ['install', '--no-audit', '--no-fund'], { cwd: folder, env: plainEnvironment() })
  return {
    node22: join(bin, 'node/bin/node'),
    node24: process.execPath,
    bun: join(bin, '.bin/bun'),
    deno: join(bin, '.bin/deno'),
  }
}
