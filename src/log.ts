import { destination, type Logger, pino } from 'pino'

/**
 * The log: one JSON object a line on standard output, or readable lines when that is a terminal. Lines are
 * collected for a moment and written together; `flush` writes what is left, before the process ends.
 */
export async function createLog(level: string): Promise<{ log: Logger; flush: () => void }> {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (process.stdout.isTTY) {
    // Not as a transport: those are workers, which break in bundles and lose the last lines.
    const { default: pretty } = await import('pino-pretty')
    const stream = pretty({
      translateTime: 'SYS:HH:MM:ss',
      messageFormat,
      // What the sentence has said already.
      ignore: 'event,method,route,status,duration_ms',
      singleLine: true,
      sync: true,
    })
    return { log: pino(options, stream), flush: () => {} }
  }
  const stdout = destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 100 })
  return { log: pino(options, stdout), flush: () => stdout.flushSync() }
}

/** A request reads as one does in a shell; every other line has its sentence. */
function messageFormat(line: Record<string, unknown>, messageKey: string): string {
  const { method, route, status, duration_ms } = line
  if (method === undefined) return `${line[messageKey]}${status === undefined ? '' : ` (${status})`}`
  return `${method} ${route} ${status} in ${duration_ms} ms`
}
