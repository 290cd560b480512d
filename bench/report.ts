import type { Operation } from './contender.ts'
import type { Figures, Spread } from './rounds.ts'

export type Report = {
  readonly date: string
  readonly machine: string
  readonly versions: readonly string[]
  readonly settings: Readonly<Record<string, number>>
  /** What stands for each contender's name. */
  readonly notes: Readonly<Record<string, string>>
  /** What is missing, and why. */
  readonly remarks: readonly string[]
  readonly figures: Readonly<Record<string, readonly Figures[]>>
}

/** What was promised, as a share of pgbench on two cores. It is reported, never asserted. */
const expected: Readonly<Record<Operation, number>> = { list: 0.4, get: 0.5, create: 0.6 }

const columns = ['', 'requests/s', 'share', 'p50 ms', 'p99 ms', 'CPU µs/request', 'memory MB'] as const

/** One table an operation, in Markdown that also reads well as it stands. */
export function tables({ figures }: Report): string {
  return Object.entries(figures)
    .map(([operation, rows]) => {
      const title = rows.some(({ contender }) => contender === 'pgbench')
        ? `### ${operation} (expected: ${percent(expected[operation as Operation])} of pgbench)`
        : `### ${operation}`
      return `${title}\n\n${aligned([columns, ...rows.map(row)])}`
    })
    .join('\n\n')
}

export function markdown(report: Report): string {
  const { date, machine, versions, settings, notes, remarks } = report
  const told = Object.entries(settings).map(([name, value]) => `${value} ${name}`)
  return [
    `Measured ${date} on ${machine}; ${versions.join(', ')}; ${told.join(', ')}.`,
    ...remarks,
    tables(report),
    Object.entries(notes)
      .map(([name, note]) => `- **${name}**: ${note}`)
      .join('\n'),
  ].join('\n\n')
}

const begin = '<!-- bench:begin -->'
const end = '<!-- bench:end -->'

/** The page with the text between its two markers replaced. @throws Error when they are not there. */
export function between(page: string, text: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`The page lacks ${begin} or ${end}.`)
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`
}

function row(figures: Figures): string[] {
  return [
    figures.contender,
    told(figures.requestsPerSecond, (value) => Math.round(value).toLocaleString('en')),
    told(figures.shareOfFirst, percent),
    brief(figures.p50Ms, 1),
    brief(figures.p99Ms, 1),
    brief(figures.cpuUsPerRequest, 1),
    brief(figures.residentMb, 0),
  ]
}

function told(spread: Spread | undefined, text: (value: number) => string): string {
  if (spread === undefined) return '–'
  if (spread.least === spread.most) return text(spread.median)
  return `${text(spread.median)} (${text(spread.least)} to ${text(spread.most)})`
}

function brief(spread: Spread | undefined, digits: number): string {
  return spread === undefined ? '–' : spread.median.toFixed(digits)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = columns.map((_, i) => Math.max(...rows.map((cells) => (cells[i] ?? '').length), 3))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [head = [], ...rest] = rows
  return [line(head), rule, ...rest.map(line)].join('\n')
}
