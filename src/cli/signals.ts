/** A signal within this time of the first is its echo. */
const echoMs = 250

/**
 * Resolves at the first SIGTERM or SIGINT. The next one calls `before` and ends the process with the exit code that a
 * shell expects. Without `before` it does nothing. A signal right after the first counts as the same one: at Ctrl-C
 * the terminal sends it, and npm sends it again.
 */
export function firstSignal(before?: () => void): Promise<NodeJS.Signals> {
  let firstAt: number | undefined
  return new Promise((resolve) => {
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ] as const)
      process.on(signal, () => {
        firstAt ??= performance.now()
        if (performance.now() - firstAt < echoMs) return resolve(signal)
        if (before === undefined) return
        before()
        process.exit(code)
      })
  })
}
