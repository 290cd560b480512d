import { destination, type Logger, pino } from 'pino'

/**
 * The log: one JSON object a line on standard output, or readable lines when that is a terminal. Lines are
 * collected for a moment and written together; `flush` writes what is left, before the process ends.
 */
export async function createLog(level: string): Promise<{ log: Logger; flush: () => void }> {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: withoutValues },
  }
  if (process.stdout.isTTY) {
    // Not as a transport: those are workers, which break in bundles and lose the last lines.
    const { default: pretty } = await import('pino-pretty')
    const stream = pretty({ translateTime: 'SYS:HH:MM:ss.l', ignore: 'event', singleLine: true, sync: true })
    return { log: pino(options, stream), flush: () => {} }
  }
  const stdout = destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 100 })
  return { log: pino(options, stdout), flush: () => stdout.flushSync() }
}

/** Of an error only what says where and why: errors of Postgres carry rows and statements in further fields. */
function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const code = 'code' in error ? error.code : undefined
  return { type: error.name, message: error.message, code, stack: error.stack }
}
