import { destination, type Logger, pino } from 'pino'
import { writeSums } from './events/sums.ts'
import { record } from './events.ts'

/**
 * The log: one JSON object a line on standard output, or readable lines when that is a terminal. Lines are
 * collected for a moment and written together; `flush` writes what is left, before the process ends. Where several
 * processes have one standard output, no more is written at once than a pipe takes whole. A reader that stops reading
 * holds up nobody: beyond 16 MB lines are dropped, and counted once it reads again.
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
  // A full disk or a closed pipe costs lines of the log, not the service.
  let broken = false
  stdout.on('error', () => {
    broken = true
  })
  stdout.on('write', () => {
    broken = false
  })
  // It repeats a write that fails, for ever; pino asks for it too, at `fatal` and at the exit.
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
  // However it ends, also in somebody else's process, who does not know of us; before pino closes the stream.
  process.prependListener('beforeExit', flush)
  process.prependListener('exit', flush)
  return { log, flush }
}

/** What a pipe takes whole (PIPE_BUF, pipe(7)), and what is handed on at once otherwise; bytes. */
const pipeWhole = 4_096
const pieceLength = 32_768

/** So much waits for a reader of the log that has stopped reading; what comes then is dropped. */
const mostHeld = 16 * 2 ** 20

const heldMs = 100

/**
 * Collects whole lines and hands them on together: `sonic-boom` looks through all it holds for each line it is given,
 * and each write to the file costs more than many lines. None is held longer than a tenth of a second.
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
  const { method, route, status, duration_ms, count } = line
  if (count !== undefined) return `${count} ${line[messageKey]}: ${status} ${route ?? ''}`.trimEnd()
  if (method === undefined) return `${line[messageKey]}${status === undefined ? '' : ` (${status})`}`
  return `${method} ${route} ${status} in ${duration_ms} ms`
}
