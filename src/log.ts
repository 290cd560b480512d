import { destination, type Logger, pino } from 'pino'

/**
 * The log: one JSON object a line on standard output, or readable lines when that is a terminal. Lines are
 * collected for a moment and written together; `flush` writes what is left, before the process ends. Where several
 * processes have one standard output, no more is written at once than a pipe takes whole (PIPE_BUF, pipe(7)).
 */
export async function createLog(
  level: string,
  { shared = false }: { shared?: boolean } = {},
): Promise<{ log: Logger; flush: () => void }> {
  const options = { level, base: null, timestamp: isoTime() }
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
  const size = shared ? { minLength: 2048, maxWrite: 4096 } : { minLength: 4096 }
  const stdout = destination({ dest: 1, sync: false, ...size, periodicFlush: 100 })
  return { log: pino(options, stdout), flush: () => stdout.flushSync() }
}

/** The time in UTC (RFC 3339), written once for all lines of the same millisecond. */
function isoTime(): () => string {
  let at = 0
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== at) text = `,"time":"${new Date(now).toISOString()}"`
    at = now
    return text
  }
}

/** A request reads as one does in a shell; every other line has its sentence. */
function messageFormat(line: Record<string, unknown>, messageKey: string): string {
  const { method, route, status, duration_ms } = line
  if (method === undefined) return `${line[messageKey]}${status === undefined ? '' : ` (${status})`}`
  return `${method} ${route} ${status} in ${duration_ms} ms`
}
