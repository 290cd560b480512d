import { outcomes } from './expectations.ts'
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

const columns = [
  ...['', 'requests/s', 'of pgbench', 'docket is', 'p50 ms', 'p99 ms'],
  ...['CPU µs/request', 'memory MB'],
] as const

/** One table an operation and one of promises, in Markdown that also reads well as it stands. */
export function tables({ figures }: Report): string {
  const operations = Object.entries(figures).map(([operation, rows]) => {
    const ours = rows.find(({ contender }) => contender === 'docket')
    const first = rows[0]?.contender ?? ''
    const head = columns.map((column) => (column === 'of pgbench' ? `of ${first}` : column))
    return `### ${operation}\n\n${aligned([head, ...rows.map((each) => row(each, ours))])}`
  })
  const promised = outcomes(figures)
  if (promised.length === 0) return operations.join('\n\n')
  const lines = promised.map(({ operation, promise, expected, measured, met }) => [
    ...[operation, promise, expected, measured, met ? 'met' : '**missed**'],
  ])
  const head = ['', 'docket to', 'expected', 'measured', '']
  return [...operations, `### What was promised\n\n${aligned([head, ...lines])}`].join('\n\n')
}

export function markdown(report: Report): string {
  const { date, machine, versions, settings, notes, remarks } = report
  const told = Object.entries(settings).map(([name, value]) => `${value} ${name}`)
  return [
    `Measured ${date} on ${machine}; ${versions.join(', ')}; ${told.join(', ')}.`,
    ...remarks.map((remark) => remark.split('\n', 1)[0] ?? ''),
    tables(report),
    Object.entries(notes)
      .map(([name, note]) => `- **${name}**: ${note}`)
      .join('\n'),
  ].join('\n\n')
}

/**
 * The page with the text between two markers of this name replaced.
 * @throws Error when they are not there.
 */
export function between(page: string, text: string, name = 'bench'): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`The page lacks ${begin} or ${end}.`)
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`
}

function row(figures: Figures, ours: Figures | undefined): string[] {
  return [
    figures.contender,
    told(figures.requestsPerSecond, (value) => Math.round(value).toLocaleString('en')),
    told(figures.shareOfFirst, percent),
    figures === ours || figures.contender === 'pgbench'
      ? ''
      : times(ours?.requestsPerSecond, figures.requestsPerSecond),
    brief(figures.p50Ms, 1),
    brief(figures.p99Ms, 1),
    brief(figures.cpuUsPerRequest, 1),
    brief(figures.residentMb, 0),
  ]
}

function times(ours: Spread | undefined, theirs: Spread | undefined): string {
  if (ours === undefined || theirs === undefined) return '–'
  const ratio = ours.median / theirs.median
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`
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
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
}

function aligned(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows
  const widths = head.map((_, i) => Math.max(...rows.map((cells) => (cells[i] ?? '').length), 3))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(head), rule, ...rest.map(line)].join('\n')
}
