/** Within this a signal is an echo of the first. */
const echoMs = 250

/**
 * Resolves at the first SIGTERM or SIGINT. The next one calls `before` and ends the process with the code a shell
 * expects; without `before` it does nothing. One that follows on the heels of the first is the same one: at Ctrl-C a
 * terminal tells us, and npm tells us again.
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
