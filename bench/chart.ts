import { init } from 'echarts'
import { operations } from './contender.ts'
import type { Report } from './report.ts'

const width = 920
const rowHeight = 21
/** Readable on white and on black. */
const [ours, limit, others, text, lines] = ['#2f9e6e', '#8a8f98', '#5b8def', '#7d8590', '#7d859055']

/**
 * Requests a second of everybody, a panel an operation, as an SVG document without a background. The longest bar of
 * each panel fills it: panels have scales of their own.
 */
export function comparison({ figures, date, machine }: Report): string {
  const panels = operations.flatMap((operation) => {
    const rows = (figures[operation] ?? []).flatMap(({ contender, requestsPerSecond }) =>
      requestsPerSecond === undefined ? [] : [{ contender, rate: requestsPerSecond.median }],
    )
    return rows.length === 0 ? [] : [{ operation, rows: rows.toSorted((a, b) => b.rate - a.rate) }]
  })
  const margin = { first: 66, between: 40, last: 12, left: 250, right: 70 }
  let at = margin.first
  const placed = panels.map((panel) => {
    const top = at
    const height = panel.rows.length * rowHeight
    at += height + margin.between
    return { ...panel, top, height }
  })
  const height = at - margin.between + margin.last

  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif', color: text },
    title: [
      {
        text: 'Requests per second, more is better',
        subtext: `${machine}, ${date}; medians`,
        left: 0,
        top: 0,
        textStyle: { fontSize: 14, color: text },
        subtextStyle: { fontSize: 11, color: text },
        itemGap: 2,
      },
      ...placed.map(({ operation, top }) => ({
        text: operation,
        left: margin.left - 4,
        top: top - 20,
        textStyle: { fontSize: 12, color: text },
      })),
    ],
    grid: placed.map(({ top, height }) => ({ left: margin.left, right: margin.right, top, height })),
    xAxis: placed.map((_, gridIndex) => ({ type: 'value', gridIndex, show: false })),
    yAxis: placed.map(({ rows }, gridIndex) => ({
      type: 'category',
      gridIndex,
      inverse: true,
      data: rows.map(({ contender }) => contender),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: lines } },
      axisLabel: { color: text, fontSize: 12, interval: 0 },
    })),
    series: placed.map(({ rows }, index) => ({
      type: 'bar',
      xAxisIndex: index,
      yAxisIndex: index,
      barWidth: 13,
      data: rows.map(({ contender, rate }) => ({ value: rate, itemStyle: { color: colourOf(contender) } })),
      label: { show: true, position: 'right', color: text, fontSize: 12, formatter: rounded },
    })),
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return `${svg}\n`
}

function colourOf(contender: string): string {
  if (contender === 'pgbench' || contender === 'bare node:http') return limit
  return contender === 'docket' ? ours : others
}

function rounded({ value }: { value?: unknown }): string {
  return Math.round(Number(value)).toLocaleString('en')
}
