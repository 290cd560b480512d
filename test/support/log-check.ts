import { z } from 'zod'
import { type EventName, events } from '../../src/events.ts'

const Line = z.looseObject({ level: z.int(), time: z.unknown(), msg: z.string(), event: z.string() })

/**
 * Holds every line of a log against the events that are declared, and looks for what was sent: tokens, titles,
 * descriptions, owners. Returns what is wrong, in words that repeat none of it.
 */
export function faultsOfLog(lines: readonly string[], sent: ReadonlySet<string>): string[] {
  const faults = new Set<string>()
  for (const text of lines.join('').split('\n').filter(Boolean)) {
    const line = Line.safeParse(JSON.parse(text))
    if (!line.success) {
      faults.add(`a line is no event: ${z.prettifyError(line.error)}`)
      continue
    }
    const { level, time, msg, event, ...fields } = line.data
    const schema = Object.hasOwn(events, event) ? events[event as EventName] : undefined
    const checked = schema?.safeParse(fields)
    if (checked === undefined) faults.add(`the event ${event} is not declared`)
    else if (!checked.success) faults.add(`${event}: ${z.prettifyError(checked.error)}`)
    for (const secret of sent) if (text.includes(secret)) faults.add(`${event} repeats what a caller sent`)
  }
  return [...faults]
}

/** The strings of a body that are long enough to be known again. */
export function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.length >= 12 ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(stringsIn)
}
