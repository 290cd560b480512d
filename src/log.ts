import { destination, type Logger, pino } from 'pino'
import { writeSums } from './events/sums.ts'
import { record } from './events.ts'

/**
 * The log: one JSON object per line on standard output, or readable lines on a terminal.
 * Lines are buffered briefly and written together. `flush` writes the rest before the process ends.
 * With `shared`, several processes have one standard output, so no write exceeds what a pipe takes whole.
 * A reader that stops reading delays nobody. Beyond 16 MB lines are dropped, and counted once it reads again.
 */
export async function createLog(
  level: string,
  { shared = false }: { shared?: boolean } = {},
): Promise<{ log: Logger; flush: () => void }> {
  const options = { level, base: null, timestamp: isoTime() }
  if (process.stdout.isTTY) {
    // pino's transports are workers, which break in bundles and lose the last lines.
    const { default: pretty } = await import('pino-pretty')
    const stream = pretty({
      translateTime: 'SYS:HH:MM:ss',
      messageFormat,
      // The sentence already contains these.
      ignore: 'event,method,route,status,duration_ms,count',
      singleLine: true,
      sync: true,
    })
    const log = pino(options, stream)
    return { log, flush: () => writeSums(log) }
  }
  const stdout = destination({
    dest: 1,
    sync: false,
    maxLength: mostHeld,
    ...(shared && { maxWrite: pipeWhole }),
  })
  const pieces = inPieces(stdout, shared ? pipeWhole : pieceLength)
  const log = pino(options, pieces)
  // A full disk or a closed pipe costs log lines, not the service.
  let broken = false
  stdout.on('error', () => {
    broken = true
  })
  stdout.on('write', () => {
    broken = false
  })
  // `flushSync` repeats a failing write for ever. pino calls it too, at `fatal` and at exit.
  const flushSync = stdout.flushSync.bind(stdout)
  stdout.flushSync = () => (broken ? undefined : flushSync())
  let dropped = 0
  stdout.on('drop', (piece: string) => {
    dropped += piece.split('\n').length - 1
  })
  stdout.on('drain', () => {
    if (dropped > 0) record(log, 'warn', 'log_dropped', { lines: dropped })
    dropped = 0
  })
  const flush = () => {
    writeSums(log)
    pieces.flush()
    stdout.flushSync()
  }
  // The log is flushed however the process ends, also in a host process that does not know Docket.
  // This must run before pino closes the stream.
  process.prependListener('beforeExit', flush)
  process.prependListener('exit', flush)
  return { log, flush }
}

/** Bytes that a pipe takes whole (PIPE_BUF, pipe(7)), and bytes handed on at once otherwise. */
const pipeWhole = 4_096
const pieceLength = 32_768

/** Bytes held for a reader that has stopped reading. Later lines are dropped. */
const mostHeld = 16 * 2 ** 20

const heldMs = 100

/**
 * Collects whole lines and hands them on together, after 100 ms at the latest.
 * `sonic-boom` scans its whole buffer for each line, and each write to the file costs more than many lines.
 */
function inPieces(stream: { write(text: string): unknown }, length: number) {
  let text = ''
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (text !== '') stream.write(text)
    text = ''
  }
  return {
    flush,
    write: (line: string) => {
      if (text.length + line.length > length) flush()
      text += line
      timer ??= setTimeout(flush, heldMs).unref()
    },
  }
}

/** The UTC time (RFC 3339), formatted once for all lines of the same millisecond. */
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

/** Requests show method, route, status and duration. Every other line shows its sentence. */
function messageFormat(line: Record<string, unknown>, messageKey: string): string {
  const { method, route, status, duration_ms, count } = line
  if (count !== undefined) return `${count} ${line[messageKey]}: ${status} ${route ?? ''}`.trimEnd()
  if (method === undefined) return `${line[messageKey]}${status === undefined ? '' : ` (${status})`}`
  return `${method} ${route} ${status} in ${duration_ms} ms`
}
