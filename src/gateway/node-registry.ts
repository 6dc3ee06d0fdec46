// Knows the nodes of the installation and their state, from a signal: every node reports itself once a second. The report is its
// lease: a node that is silent for some seconds counts as gone. Nothing is stored.

import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { entriesMax } from '../bounded.ts'
import type { Bus, Form } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import type { Journal } from '../journal/journal.ts'
import { openTopics } from '../journal/topics.ts'

declare module '../parts.ts' {
  interface App {
    readonly nodes: NodeRegistry
  }
}

const reportMs = 1_000
/** How long a node stays in the registry after its last report, in milliseconds. */
export const nodeLapsesMs = 4_000
/** How often the event loop's delay is sampled, in milliseconds. Only the delay beyond this is lag. */
const sampleMs = 20
/** For how many nodes, dead ones included, to remember the number of the newest report. */
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

const nodesForm: Form<NodeReport> = { parse: (message) => reportForm.safeParse(message).data ?? null, isSigned: true }

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
  /** The nodes that have reported recently, including this one if it serves. */
  nodes(): readonly NodeReport[]
  /** Calls `listener` for each report that arrives. */
  onReport(listener: (report: NodeReport) => void): void
  close(): Promise<void>
}

/** Opens the registry of a node. It receives the others' reports and is silent until `announce`. */
export function openNodeRegistry(bus: Bus, clock: Clock, journal: Journal): NodeRegistry {
  const id = randomUUID()
  const topics = openTopics(bus, journal)
  const known = new Map<string, { report: NodeReport; lapsesAt: number }>()
  const newest = new LRUCache<string, number>(entriesMax(nodesMax))
  let number = 0
  const listeners: ((report: NodeReport) => void)[] = []
  const delay = monitorEventLoopDelay({ resolution: sampleMs })
  let description: NodeDescription | null = null
  let isDraining = false
  let last: NodeReport | null = null
  const others = topics.subscribe('nodes', nodesForm, (report) => {
    if (report.id === id || report.number <= (newest.get(report.id) ?? 0)) return
    newest.set(report.id, report.number)
    const isNew = !known.has(report.id)
    take(report)
    if (isNew && last) publish(last) // a new node does not know the others yet
  })

  function take(report: NodeReport): void {
    known.set(report.id, { report, lapsesAt: clock.now() + nodeLapsesMs })
    for (const listener of listeners) listener(report)
  }
  function publish(report: NodeReport): void {
    number += 1
    topics.publish('nodes', { ...report, number })
  }
  function reportNow(): void {
    const now = clock.now()
    for (const [other, { lapsesAt }] of known) if (lapsesAt <= now) known.delete(other)
    if (!description) return
    const { url, region, version, capacity } = description
    const lagMs = Math.max(0, delay.max / 1e6 - sampleMs)
    delay.reset()
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
    last = report
    take(report)
    publish(report)
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
    nodes() {
      const now = clock.now()
      return [...known.values()].filter(({ lapsesAt }) => lapsesAt > now).map(({ report }) => report)
    },
    onReport: (listener) => listeners.push(listener),
    async close() {
      stopReporting()
      delay.disable()
      others.end()
    },
  }
}
