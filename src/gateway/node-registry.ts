// Knows the nodes of the installation and their state. Every node puts a report about itself on the board once a second, and reads
// those of the others when somebody asks. The report is a lease: a node that is silent for some seconds counts as gone.

import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { entriesMax } from '../bounded.ts'
import { noticeLapsesMs } from '../bus/board.ts'
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../log/log.ts'

declare module '../parts.ts' {
  interface App {
    readonly nodes: NodeRegistry
  }
}

const reportMs = 1_000
/** How long what was read from the board counts as current, in milliseconds. */
const readAgainMs = 250
/** For how many reports that nobody read the listeners are told of one that was. */
const reportsMax = 5
/** How often the event loop's delay is sampled, in milliseconds. Only the delay beyond this is lag. */
const sampleMs = 20
/** For how many nodes, dead ones included, to remember the newest report. */
const nodesMax = 10_000

const reportForm = z.object({
  id: z.string(),
  url: z.string().nullable(),
  region: z.string(),
  version: z.string(),
  capacity: z.number().positive(),
  connections: z.number().nonnegative(),
  eventLoopLagMs: z.number().nonnegative(),
  isDraining: z.boolean(),
  isFollowing: z.boolean(),
  /** Counts the reports of a node, so that a recorded report that is published again counts as old. */
  number: z.int(),
})

/** A node's report about itself. */
export type NodeReport = Readonly<z.infer<typeof reportForm>>

/** A node's description of itself when it begins to serve. */
export type NodeDescription = Pick<NodeReport, 'url' | 'region' | 'version' | 'capacity'> & {
  /** The number of open WebSockets and event streams. */
  connections(): number
}

/** The nodes of an installation, as this node knows them. */
export type NodeRegistry = {
  /** The ID of this node until it ends. */
  readonly id: string
  /** Starts reporting this node to the others. */
  announce(description: NodeDescription): void
  /** Reports at once that this node is shutting down, so that no node recommends it to clients any more. */
  drain(): void
  /** The nodes that have reported recently, including this one if it serves; while Redis is away, those known until they lapse. */
  nodes(): Promise<readonly NodeReport[]>
  /** Calls `listener` for each report that is new here. */
  onReport(listener: (report: NodeReport) => void): void
  close(): Promise<void>
}

/** The report in a text; null if there is none. */
function parseReport(text: string): NodeReport | null {
  try {
    return reportForm.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

/** Opens the registry of a node. It is silent until `announce`. */
export function openNodeRegistry({ board }: Bus, clock: Clock, journal: Journal, log: Log): NodeRegistry {
  const id = randomUUID()
  const known = new LRUCache<string, { report: NodeReport; lapsesAt: number }>(entriesMax(nodesMax))
  const listeners: ((report: NodeReport) => void)[] = []
  const delay = monitorEventLoopDelay({ resolution: sampleMs })
  const name = () => journal.topic('nodes')
  let number = 0
  let description: NodeDescription | null = null
  let isDraining = false
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | null = null

  function take(report: NodeReport, leftMs: number): void {
    const before = known.get(report.id)?.report.number ?? report.number - 1
    if (report.number <= before) return // read already, or a recorded report that somebody put up again
    known.set(report.id, { report, lapsesAt: clock.monotonicMs() + leftMs })
    // A report stands for a second, also if nobody read those in between.
    const seconds = Math.min(report.number - before, reportsMax)
    for (let i = 0; i < seconds; i += 1) for (const listener of listeners) listener(report)
  }
  function reportNow(): void {
    if (!description) return
    const { url, region, version, capacity } = description
    const lagMs = Math.max(0, delay.max / 1e6 - sampleMs)
    delay.reset()
    number += 1
    const report: NodeReport = {
      id,
      url,
      region,
      version,
      capacity,
      connections: description.connections(),
      eventLoopLagMs: Number.isFinite(lagMs) ? Math.round(lagMs) : 0,
      isDraining,
      isFollowing: journal.isFollowing(),
      number,
    }
    take(report, noticeLapsesMs)
    board.post(name(), id, JSON.stringify(report)).catch((error: unknown) => log.debug({ err: error }, 'a report was lost'))
  }
  async function readAgain(): Promise<void> {
    try {
      for (const { text, leftMs } of await board.read(name())) {
        const report = parseReport(text)
        if (report !== null && report.id !== id) take(report, Math.min(leftMs, noticeLapsesMs))
      }
    } catch (error) {
      log.debug({ err: error }, 'the reports of the other nodes could not be read')
    }
    readAt = clock.monotonicMs()
  }
  const stopReporting = clock.every(reportMs, reportNow)

  return {
    id,
    announce(given) {
      description = given
      delay.enable()
      reportNow()
    },
    drain() {
      isDraining = true
      reportNow()
    },
    async nodes() {
      if (clock.monotonicMs() - readAt >= readAgainMs) {
        reading ??= readAgain().finally(() => {
          reading = null
        })
        await reading
      }
      const now = clock.monotonicMs()
      return [...known.values()].filter(({ lapsesAt }) => lapsesAt > now).map(({ report }) => report)
    },
    onReport: (listener) => listeners.push(listener),
    async close() {
      stopReporting()
      delay.disable()
    },
  }
}
