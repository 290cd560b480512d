import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { type Environment, newFolder, type Running, root, run } from '../support/process.ts'

/** The environment without what `npm run` adds to it, so that an npm that is started here knows nothing of ours. */
export function plainEnvironment(): Environment {
  const entries = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      !/^(npm_(lifecycle|package|command|execpath|node)|npm_config_local|VITEST|NODE_ENV$|INIT_CWD)/.test(
        name,
      ),
  )
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(root))
  return { ...Object.fromEntries(entries), PATH: path.join(delimiter), NEXT_TELEMETRY_DISABLED: '1' }
}

/** Somebody with a folder and a Node of their own, who types commands as a README gives them. */
export class Reader {
  /** Every command so far, in order. */
  readonly commands: string[] = []
  readonly folder: string
  readonly #environment: Environment

  private constructor(folder: string, environment: Environment) {
    this.folder = folder
    this.#environment = environment
  }

  /** @param node the executable that `node` means here; @param manifest fields of their package.json. */
  static async with(node: string, manifest: object = {}): Promise<Reader> {
    const folder = await newFolder()
    const bin = join(await newFolder(), 'bin')
    await mkdir(bin)
    await symlink(node, join(bin, 'node'))
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, ...manifest }))
    const plain = plainEnvironment()
    // Bun and Deno keep what they compiled in the home folder otherwise.
    const caches = { BUN_RUNTIME_TRANSPILER_CACHE_PATH: '0', DENO_DIR: join(folder, '.deno') }
    return new Reader(folder, { ...plain, ...caches, PATH: [bin, plain.PATH].join(delimiter) })
  }

  /** Copies files of `test/package/apps/` over those that are there. */
  async copy(app: string): Promise<void> {
    await cp(join(import.meta.dirname, 'apps', app), this.folder, { recursive: true })
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.folder, file), text)
  }

  /** Runs a command to its end, whatever that is. */
  async attempt(command: string, environment: Environment = {}) {
    this.commands.push(command)
    const running = this.start(command, environment)
    const { code } = await running.ended
    return { code, stdout: running.stdout(), stderr: running.stderr() }
  }

  /** Runs a command that has to succeed, and gives its output. */
  async run(command: string, environment: Environment = {}): Promise<string> {
    const { code, stdout, stderr } = await this.attempt(command, environment)
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${stdout}\n${stderr}`)
    return stdout
  }

  /** Starts a command that goes on. A signal to it reaches the command itself. */
  start(command: string, environment: Environment = {}): Running {
    return run('/bin/sh', ['-c', `exec ${command}`], {
      folder: this.folder,
      environment: { ...this.#environment, ...environment },
    })
  }
}
