// Which nodes there are, and how each of them is: a signal. Every node tells of itself once a second. That is its lease: who
// is not heard of for some seconds is there no more, whatever became of it. Nothing is stored.

import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { z } from 'zod'
import type { Bus } from '../bus/bus.ts'
import type { Journal } from '../journal/journal.ts'
import { openTopics } from './topics.ts'

const reportMs = 1_000
/** How long a node counts as there after its last report, in milliseconds. */
export const nodeLapsesMs = 4_000
/** The event loop's delay is sampled so often; what it says beyond that is lag. */
const sampleMs = 20

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
})

/** What a node says of itself. */
export type NodeReport = Readonly<z.infer<typeof reportForm>>

/** What a node knows of itself when it begins to serve. */
export type NodeFace = Pick<NodeReport, 'url' | 'region' | 'version' | 'capacity'> & {
  /** How many WebSockets and event streams are open. */
  connections(): number
}

/** The nodes of an installation, as one of them hears of them. */
export type NodeBoard = {
  /** This node, until it ends. */
  readonly id: string
  /** Tells the others of this node, from now on. */
  announce(face: NodeFace): void
  /** Tells the others at once that this node goes down: nobody shall be sent to it any more. */
  drain(): void
  /** The nodes that were heard of lately, this one included if it serves. */
  nodes(): readonly NodeReport[]
  /** Calls `listener` for each report that arrives. */
  onReport(listener: (report: NodeReport) => void): void
  close(): Promise<void>
}

/** Opens the board of a node: it hears the others, and is silent until `announce`. */
export function openNodeBoard(bus: Bus, journal: Journal): NodeBoard {
  const id = randomUUID()
  const topics = openTopics(bus, journal)
  const heard = new Map<string, { report: NodeReport; lapsesAt: number }>()
  const listeners: ((report: NodeReport) => void)[] = []
  const delay = monitorEventLoopDelay({ resolution: sampleMs })
  let face: NodeFace | null = null
  let isDraining = false
  let last: NodeReport | null = null
  const others = topics.hear('nodes', (message) => {
    const { data } = reportForm.safeParse(message)
    if (!data || data.id === id) return
    const isNew = !heard.has(data.id)
    take(data)
    if (isNew && last) topics.publish('nodes', last) // a node that has just come knows nobody
  })

  function take(report: NodeReport): void {
    heard.set(report.id, { report, lapsesAt: Date.now() + nodeLapsesMs })
    for (const listener of listeners) listener(report)
  }
  function tell(): void {
    const now = Date.now()
    for (const [other, { lapsesAt }] of heard) if (lapsesAt <= now) heard.delete(other)
    if (!face) return
    const { url, region, version, capacity } = face
    const lagMs = Math.max(0, delay.max / 1e6 - sampleMs)
    delay.reset()
    const report: NodeReport = {
      id,
      url,
      region,
      version,
      capacity,
      connections: face.connections(),
      eventLoopLagMs: Number.isFinite(lagMs) ? Math.round(lagMs) : 0,
      isDraining,
      isFollowing: journal.isFollowing(),
    }
    last = report
    take(report)
    topics.publish('nodes', report)
  }
  const telling = setInterval(tell, reportMs)

  return {
    id,
    announce(given) {
      face = given
      delay.enable()
      tell()
    },
    drain() {
      isDraining = true
      tell()
    },
    nodes() {
      const now = Date.now()
      return [...heard.values()].filter(({ lapsesAt }) => lapsesAt > now).map(({ report }) => report)
    },
    onReport: (listener) => listeners.push(listener),
    async close() {
      clearInterval(telling)
      delay.disable()
      others.end()
    },
  }
}
