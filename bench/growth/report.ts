import type { Latency } from './load.ts'
import type { Report, Size } from './measure.ts'
import type { Cell } from './rounds.ts'

/** What was promised: no operation is slower by more than this on any larger table. It is reported, never asserted. */
export const goal = 1.3

export type Figures = {
  readonly operation: string
  readonly clients: number
  readonly tasks: number
  /** Medians of the rounds, in milliseconds. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Median, over the rounds, of the p50 to that of the smallest table in the same round. */
  readonly ratio: number
  readonly requests: number
}

export function figuresOf(cells: readonly Cell[]): Figures[] {
  return cells.map((cell) => {
    const { operation, clients, tasks, rounds } = cell
    const smallest = cells.find((each) => each.operation === operation && each.clients === clients)
    const of = (value: (round: Latency) => number) => median(rounds.map(value))
    return {
      ...{ operation, clients, tasks },
      p50Ms: of(({ p50Ms }) => p50Ms),
      p99Ms: of(({ p99Ms }) => p99Ms),
      ratio: median(rounds.map(({ p50Ms }, round) => p50Ms / (smallest?.rounds[round]?.p50Ms ?? Number.NaN))),
      requests: rounds.reduce((sum, { requests }) => sum + requests, 0),
    }
  })
}

/** The middle one, or what lies between the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return lower === undefined || upper === undefined ? Number.NaN : (lower + upper) / 2
}

/** Everything in Markdown that also reads well on a terminal. */
export function markdown(report: Report): string {
  const { date, machine, versions, seconds, remarks } = report
  const rounds = Math.max(0, ...report.cells.map((cell) => cell.rounds.length))
  const same = 'A plan without sizes is the one at every size.'
  return [
    `Measured ${date} on ${machine}; ${versions.join(', ')}; ${rounds} rounds of ${seconds} s each.`,
    ...remarks,
    latencies(report),
    sizes(report.sizes),
    same,
    plans(report.sizes),
  ].join('\n\n')
}

function latencies({ cells, sizes, roundTrips }: Report): string {
  const figures = figuresOf(cells)
  const worst = figures.filter(({ ratio }) => ratio > goal)
  const rows = figures.map(({ operation, clients, tasks, p50Ms, p99Ms, ratio }) => {
    const looked = sizes.find((size) => size.tasks === tasks)?.looked[operation]
    return [
      operation,
      String(clients),
      count(tasks),
      p50Ms.toFixed(2),
      p99Ms.toFixed(2),
      `${ratio.toFixed(2)}${ratio > goal ? ' !' : ''}`,
      looked === undefined ? '–' : String(looked.pages),
      roundTrips[operation]?.toString() ?? '–',
    ]
  })
  const head = ['operation', 'clients', 'tasks', 'p50 ms', 'p99 ms', 'ratio', 'pages', 'round trips']
  const verdict =
    worst.length === 0
      ? `Every ratio is within ${goal}.`
      : `Beyond ${goal}: ${worst.map(({ operation, clients, tasks }) => `${operation} (${clients} clients, ${count(tasks)} tasks)`).join('; ')}.`
  return `${table(head, rows, 1)}\n\n${verdict}`
}

function sizes(all: readonly Size[]): string {
  const head = ['tasks', 'on disk MB', 'filled in s', 'ready after ms', 'memory MB']
  const rows = all.map(({ tasks, diskBytes, fillSeconds, readyMs, residentBytes }) => [
    count(tasks),
    Math.round(diskBytes / 1e6).toLocaleString('en'),
    fillSeconds.toFixed(1),
    median(readyMs).toFixed(0),
    residentBytes === undefined ? '–' : (residentBytes / 1e6).toFixed(0),
  ])
  return table(head, rows, 0)
}

/** Each plan once, with the operations and sizes that have it. */
function plans(all: readonly Size[]): string {
  const seen = all.flatMap(({ tasks, looked }) =>
    Object.entries(looked).map(([operation, { plan }]) => ({ operation, tasks, plan })),
  )
  return [...Map.groupBy(seen, ({ plan }) => plan)]
    .map(([plan, same]) => {
      const named = [...Map.groupBy(same, ({ operation }) => operation)].map(([operation, at]) => {
        const where =
          at.length === all.length ? '' : ` (at ${at.map(({ tasks }) => count(tasks)).join(', ')} tasks)`
        return `**${operation}**${where}`
      })
      return `${named.join('; ')}:\n\n\`\`\`\n${plan}\n\`\`\``
    })
    .join('\n\n')
}

const count = (tasks: number) => tasks.toLocaleString('en')

/** So many columns from the left are words. */
function table(head: readonly string[], rows: readonly (readonly string[])[], words: number): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((cells) => (cells[i] ?? '').length)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i < words ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i < words ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

const begin = '<!-- growth:begin -->'
const end = '<!-- growth:end -->'

/** The page with the text between its two markers replaced. @throws Error when they are not there. */
export function between(page: string, text: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`The page lacks ${begin} or ${end}.`)
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`
}
