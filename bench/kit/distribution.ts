// Distributions of times: recorded as histograms, reported at many percentiles, and drawn as a plot.

import type { RecordableHistogram } from 'node:perf_hooks'

/** The percentiles of a reported distribution: from the median on, evenly spaced by how rare the rest is (50, …, 90, …, 99.99). */
export const plotted: readonly number[] = Array.from({ length: 38 }, (_, n) => 100 - 50 * 10 ** (-n / 10))

/** Records a time in milliseconds. */
export function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1_000)))
}

/** The times in milliseconds at each of the `plotted` percentiles. */
export function distributionOf(histogram: RecordableHistogram): number[] {
  return plotted.map((percentile) => histogram.percentile(percentile) / 1_000)
}

/** The time at a percentile of a distribution. */
export function at(distribution: readonly number[], percentile: number): number {
  return distribution[plotted.findIndex((one) => one >= percentile - 1e-9)] ?? Number.NaN
}

/** A line of the plot. */
export type Curve = { readonly title: string; readonly distribution: readonly number[] }

const [width, height, left, top, right, bottom] = [860, 420, 60, 40, 250, 50]
const colours = [
  '#1b6ca8',
  '#d1495b',
  '#2e933c',
  '#edae49',
  '#6a4c93',
  '#00798c',
  '#8d5524',
  '#555555',
  '#e36bae',
  '#7cb518',
  '#000000',
]

/** Draws distributions of milliseconds as an SVG: how rare on the x axis, how long on a logarithmic y axis. */
export function plot(title: string, curves: readonly Curve[]): string {
  const values = curves.flatMap(({ distribution }) => distribution).filter((value) => value > 0)
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)))
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)))
  const x = (index: number) => left + (index / (plotted.length - 1)) * (width - left - right)
  const y = (ms: number) => {
    const share = (Math.log10(ms) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))
    return height - bottom - share * (height - top - bottom)
  }
  const text = (at: readonly [number, number], words: string, more = '') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" ${more}>${words}</text>`
  const decades = Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, n) => low * 10 ** n)
  const marks = [50, 90, 99, 99.9, 99.99].map((percentile) => {
    const rarity = -Math.log10((100 - percentile) / 50) * 10
    return [Math.min(rarity, plotted.length - 1), percentile] as const
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text([left, 22], title, 'font-size="15"'),
    ...decades.map(
      (ms) =>
        `<line x1="${left}" x2="${width - right}" y1="${y(ms).toFixed(1)}" y2="${y(ms).toFixed(1)}" stroke="#ddd"/>` +
        text([left - 8, y(ms) + 4], `${ms} ms`, 'text-anchor="end"'),
    ),
    ...marks.map(
      ([index, percentile]) =>
        `<line y1="${top}" y2="${height - bottom}" x1="${x(index).toFixed(1)}" x2="${x(index).toFixed(1)}" stroke="#ddd"/>` +
        text([x(index), height - bottom + 18], `${percentile} %`, 'text-anchor="middle"'),
    ),
    text([left + (width - left - right) / 2, height - 12], 'of the messages arrive within', 'text-anchor="middle"'),
    ...curves.flatMap(({ title: name, distribution }, n) => {
      const points = distribution.map((ms, index) => `${x(index).toFixed(1)},${y(Math.max(ms, low)).toFixed(1)}`).join(' ')
      const colour = colours[n % colours.length]
      return [
        `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        text([width - right + 14, top + 14 + n * 18], name, `fill="${colour}"`),
      ]
    }),
    '</svg>',
    '',
  ].join('\n')
}
