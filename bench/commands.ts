import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const exec = promisify(execFile)

/** Runs programs to their end; none outlives the signal. */
export type Commands = {
  readonly signal: AbortSignal
  /** @returns what it wrote to standard output. @throws Error with all it wrote, when it fails. */
  readonly run: (
    program: string,
    parameters: readonly string[],
    where?: { cwd: string; env: Readonly<NodeJS.ProcessEnv> },
  ) => Promise<string>
}

export function commandsUntil(signal: AbortSignal): Commands {
  return {
    signal,
    run: async (program, parameters, where) => {
      try {
        const { stdout } = await exec(program, [...parameters], { ...where, signal, maxBuffer: 64 << 20 })
        return stdout
      } catch (error) {
        const wrote = [error].flatMap((each) =>
          each instanceof Error && 'stderr' in each && 'stdout' in each ? [each.stdout, each.stderr] : [],
        )
        throw new Error(`${program} failed:\n${wrote.join('\n')}`, { cause: error })
      }
    },
  }
}

/** The version a program names, or undefined when there is no such program. Some end with an error code even so. */
export async function isThere(
  commands: Commands,
  program: string,
  flag: string,
  version: RegExp,
): Promise<string | undefined> {
  try {
    const { stdout } = await exec(program, [flag], { signal: commands.signal })
    return version.exec(stdout)?.[1] ?? ''
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    const stdout = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    return version.exec(stdout)?.[1] ?? ''
  }
}
