// What an installation of a given size asks of its parts: `npx tsx bench/simulate.ts`. It takes the costs that the bench has measured
// (costs.json), reckons the load of nodes, Redis and Postgres for 0.1 to 50 million people a day, names the first wall, and writes
// walls.svg. It is arithmetic, not a measurement: docs/scaling.md says what is behind the figures.

import { readFileSync, writeFileSync } from 'node:fs'

/** The measured costs, each with its source in costs.json. */
type Costs = { readonly [name in keyof typeof costNames]: number }
const costNames = {
  fullBytesPerFact: 'bytes',
  digestBytesPerFact: 'bytes',
  parcelBytesPerFact: 'bytes',
  fullCpuUsPerFact: 'µs',
  digestCpuUsPerFact: 'µs',
  deliveryCpuUs: 'µs',
  sendCpuUs: 'µs',
  appendsPerS: 'a second',
  redisDeliveriesPerS: 'a second',
  redisBytesPerS: 'bytes a second',
  messageBytes: 'bytes',
  factBytes: 'bytes',
} as const

const costs = JSON.parse(readFileSync(new URL('costs.json', import.meta.url), 'utf8')) as {
  readonly [name in keyof Costs]: { readonly value: number; readonly source: string }
}
const cost = (name: keyof Costs) => costs[name].value

/** How people behave: see docs/scaling.md. */
const people = {
  messagesADay: 40,
  factsPerMessage: 3,
  peak: 4.3,
  connected: 0.2,
  devicesHearing: 5,
  devicesPerNode: 10_000,
} as const
const dayS = 86_400
/** The fewest nodes that survive the loss of one. */
const nodesMin = 2
/** Appends gather in batches: no more CALLs than this a second take turns under the lock. */
const batchesPerS = 1_000
/** How long facts are kept. */
const retentionDays = 30
const yearDays = 365

/** Redis: a single one, or a Cluster of so many masters. */
type Setup = { readonly name: string; readonly follow: 'full' | 'digest'; readonly masters: number }
export const setups: readonly Setup[] = [
  { name: 'full, one Redis', follow: 'full', masters: 1 },
  { name: 'digest, one Redis', follow: 'digest', masters: 1 },
  { name: 'digest, 8 masters', follow: 'digest', masters: 8 },
]

/** How much of each part is used at the peak: 1 is all of it. */
export function loadsOf(peopleADay: number, { follow, masters }: Setup): Readonly<Record<string, number>> {
  const messages = (peopleADay * people.messagesADay * people.peak) / dayS
  const facts = messages * people.factsPerMessage
  const nodes = Math.max(nodesMin, Math.ceil((peopleADay * people.connected) / people.devicesPerNode))
  const isDigest = follow === 'digest'
  // A fact is heard on as many nodes as hold its devices, which are spread at random.
  const hearing = nodes * (1 - (1 - 1 / nodes) ** people.devicesHearing)
  const bytesOut = isDigest
    ? facts * (nodes * cost('digestBytesPerFact') + hearing * cost('parcelBytesPerFact'))
    : facts * nodes * cost('fullBytesPerFact')
  const batches = Math.min(facts, batchesPerS)
  const redisMessages = batches * nodes + (isDigest ? facts * (1 + hearing) : 0)
  const followingUs = isDigest
    ? facts * cost('digestCpuUsPerFact') + (facts * hearing * cost('fullCpuUsPerFact')) / nodes
    : facts * cost('fullCpuUsPerFact')
  const servingUs = (facts * people.devicesHearing * cost('deliveryCpuUs') + messages * cost('sendCpuUs')) / nodes
  return {
    'a node: its core': (followingUs + servingUs) / 1e6,
    'Redis: bytes out': bytesOut / masters / cost('redisBytesPerS'),
    'Redis: messages': redisMessages / masters / cost('redisDeliveriesPerS'),
    'Postgres: appends': facts / cost('appendsPerS'),
  }
}

/** What is stored in a year, in terabytes: messages for ever, facts of the last days. */
function storedTb(peopleADay: number): number {
  const messagesADay = peopleADay * people.messagesADay
  const facts = messagesADay * people.factsPerMessage * retentionDays * cost('factBytes')
  return (messagesADay * yearDays * cost('messageBytes') + facts) / 1e12
}

const sizes = [0.1e6, 1e6, 10e6, 50e6]
const percent = (share: number) =>
  `${share >= 0.095 ? Math.round(share * 100).toLocaleString('en') : (share * 100).toPrecision(1)} %`
const million = (count: number) => `${count / 1e6} million`

/** The part with the highest load. */
export function firstWall(loads: Readonly<Record<string, number>>): readonly [part: string, load: number] {
  return Object.entries(loads).reduce((most, each) => (each[1] > most[1] ? each : most))
}

function print(): void {
  const parts = Object.keys(loadsOf(1e6, setups[0] as Setup))
  const lines = setups.flatMap((setup) => [
    `\n**${setup.name}**\n`,
    `| People a day | Nodes | ${parts.join(' | ')} | Stored in a year | First wall |`,
    `|---|---|${parts.map(() => '---|').join('')}---|---|`,
    ...sizes.map((size) => {
      const loads = loadsOf(size, setup)
      const [part, load] = firstWall(loads)
      const nodes = Math.max(nodesMin, Math.ceil((size * people.connected) / people.devicesPerNode))
      const wall = load < 1 ? `none; the next one is ${part}` : part
      return `| ${million(size)} | ${nodes} | ${parts.map((each) => percent(loads[each] ?? 0)).join(' | ')} | ${Number(storedTb(size).toPrecision(2)).toLocaleString('en')} TB | ${wall} |`
    }),
  ])
  process.stdout.write(`${lines.join('\n')}\n`)
}

const colours = ['#1b6ca8', '#c0392b', '#e08e0b', '#2e8b57', '#7d3c98']
const frame = { width: 330, height: 260, left: 52, top: 34, gap: 24 } as const
const [least, most] = [0.001, 1_000]

/** A panel for each setup: the load of each part over the number of people, both on logarithmic scales. */
function draw(): string {
  const x = (size: number) => frame.left + (Math.log10(size / 5e4) / Math.log10(1e8 / 5e4)) * frame.width
  const y = (load: number) =>
    frame.top + (1 - Math.log10(Math.min(most, Math.max(least, load)) / least) / Math.log10(most / least)) * frame.height
  const text = (at: readonly [number, number], content: string, more = '') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" ${more}>${content}</text>`
  const line = (from: readonly [number, number], to: readonly [number, number], stroke: string, more = '') =>
    `<line x1="${from[0].toFixed(1)}" y1="${from[1].toFixed(1)}" x2="${to[0].toFixed(1)}" y2="${to[1].toFixed(1)}" stroke="${stroke}" ${more}/>`
  const [bottom, right] = [frame.top + frame.height, frame.left + frame.width]
  const parts = Object.keys(loadsOf(1e6, setups[0] as Setup))
  const panels = setups.map((setup, i) => {
    const grid = [0.001, 0.01, 0.1, 1, 10, 100, 1_000].flatMap((load) => [
      line([frame.left, y(load)], [right, y(load)], load === 1 ? '#000' : '#ddd', load === 1 ? 'stroke-dasharray="4 3"' : ''),
      text([frame.left - 6, y(load) + 4], percent(load), 'text-anchor="end"'),
    ])
    const ticks = sizes.map((size) => text([x(size), bottom + 16], `${size / 1e6} M`, 'text-anchor="middle"'))
    const curves = parts.map((part, k) => {
      const points = sizes.map((size) => `${x(size).toFixed(1)},${y(loadsOf(size, setup)[part] ?? 0).toFixed(1)}`)
      return `<polyline points="${points.join(' ')}" fill="none" stroke="${colours[k]}" stroke-width="2"/>`
    })
    const title = text(
      [frame.left, frame.top - 12],
      `PARLEY_FOLLOW=${setup.follow}, Redis with ${setup.masters} master${setup.masters > 1 ? 's' : ''}`,
      'font-weight="bold"',
    )
    return `<g transform="translate(${i * (right + frame.gap)} 0)">${[title, ...grid, ...ticks, ...curves].join('')}</g>`
  })
  const legend = parts.map((part, k) =>
    [
      line([frame.left + k * 200, bottom + 40], [frame.left + k * 200 + 22, bottom + 40], colours[k] ?? '', 'stroke-width="3"'),
      text([frame.left + k * 200 + 28, bottom + 44], part),
    ].join(''),
  )
  const [width, height] = [setups.length * (right + frame.gap), bottom + 60]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12"><title>The load of each part over the people a day</title><rect width="100%" height="100%" fill="#fff"/>${panels.join('')}${legend.join('')}</svg>\n`
}

print()
writeFileSync(new URL('walls.svg', import.meta.url), draw())
