// npm run soak -- --minutes 30: people use three nodes steadily, without faults. Memory, handles, timers and queues must be flat
// at the end. Exits with 1 if one of them has grown, or if a promise was broken.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { buildPrograms } from '../support/programs.ts'
import type { NodeProcess } from './node-process.ts'
import { runChaos } from './run.ts'

const sampleEveryMs = 5_000
const people = 100
/** Small windows are full long before the end. */
const windowFacts = 5_000

/**
 * The metrics that must be flat. Compares the lowest value in the second quarter of the run with the lowest in the last quarter,
 * so that only what garbage collection leaves counts. `slack`: a difference that does not count as growth.
 */
const watched: readonly (readonly [what: string, metric: string, scale: number, slack: number])[] = [
  ['heap in use, MiB', 'nodejs_heap_size_used_bytes', 1_048_576, 8],
  ['resident memory, MiB', 'process_resident_memory_bytes', 1_048_576, 25],
  ['external memory, MiB', 'nodejs_external_memory_bytes', 1_048_576, 8],
  ['handles', 'nodejs_active_handles_total', 1, 10],
  ['resources: timers, sockets', 'nodejs_active_resources_total', 1, 20],
  ['append queue, lane 0', 'parley_append_queue_length{lane="0"}', 1, 5],
  ['requests waiting for the API pool', 'parley_pool_waiting{pool="api"}', 1, 1],
  ['push jobs', 'parley_push_jobs', 1, 50],
  ['search index behind, facts', 'parley_search_behind_facts', 1, 200],
  ['rows in journal_request', 'parley_journal_requests', 1, 0],
]
/** The share of the earlier value that also does not count as growth. */
const growthMax = 0.05

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } })
const minutes = Number(values.minutes)
if (!(minutes >= 1)) {
  process.stderr.write('usage: npm run soak -- [--minutes 30]\n')
  process.exit(2)
}
const say = (text: string) => process.stdout.write(`${text}\n`)

type Samples = Map<string, number[]>
const samples = new Map<string, Samples>()
const sampling = new AbortController()

async function sample(node: NodeProcess): Promise<void> {
  const text = await (await fetch(node.metricsUrl, { signal: AbortSignal.timeout(4_000) })).text()
  const ofNode = samples.get(node.name) ?? new Map<string, number[]>()
  samples.set(node.name, ofNode)
  for (const line of text.split('\n')) {
    const at = line.lastIndexOf(' ')
    if (line.startsWith('#') || at < 0) continue
    const metric = line.slice(0, at)
    const known = ofNode.get(metric)
    if (known) known.push(Number(line.slice(at + 1)))
    else ofNode.set(metric, [Number(line.slice(at + 1))])
  }
}

function begin(nodes: readonly NodeProcess[]): void {
  const timer = setInterval(() => {
    if (sampling.signal.aborted) return clearInterval(timer)
    for (const node of nodes) void sample(node).catch((error: unknown) => say(`no sample of ${node.name}: ${String(error)}`))
  }, sampleEveryMs)
  // The people stop at the end of the run, and what they used goes: nothing is sampled after that.
  setTimeout(() => sampling.abort(), minutes * 60_000 - 1_000)
}

const quarter = (all: readonly number[], nth: number) => all.slice((all.length * nth) / 4, (all.length * (nth + 1)) / 4)
const least = (all: readonly number[]) => Math.min(...all)
const shown = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1))

await buildPrograms()
const seed = randomInt(2 ** 31)
say(`seed ${seed}, ${minutes} minutes`)
const load = { people, groups: 33, thinkMs: people * 8, arrangement: { windowFacts } }
const { record, table } = await runChaos({ seed, durationMs: minutes * 60_000, faultEveryMs: null, onBegun: begin, ...load })
say(`${table}\n`)
say('| Node | What | Second quarter | Last quarter | |\n|---|---|---|---|---|')
let grown = 0
for (const [name, ofNode] of samples) {
  for (const [what, metric, scale, slack] of watched) {
    const all = ofNode.get(metric) ?? []
    const [before, after] = [least(quarter(all, 1)) / scale, least(quarter(all, 3)) / scale]
    const isFlat = after <= before * (1 + growthMax) + slack
    if (!isFlat) grown += 1
    say(`| ${name} | ${what} | ${shown(before)} | ${shown(after)} | ${isFlat ? 'flat' : 'GROWN'} |`)
  }
  const cpu = ofNode.get('process_cpu_seconds_total') ?? []
  const usedS = (cpu.at(-1) ?? 0) - (cpu[0] ?? 0)
  say(`| ${name} | CPU, share of a core | | ${(usedS / ((cpu.length - 1) * (sampleEveryMs / 1_000))).toFixed(2)} | |`)
}
for (const violation of record.violations) say(`\n${violation}`)
process.exit(record.violationCount > 0 || grown > 0 ? 1 : 0)
