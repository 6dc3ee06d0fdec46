// Chooses the node that a client should open its socket to. Pure, except for the random choice among equals.
//
// Reports are up to a second old, and a thousand clients may ask within that second. So each recommendation counts as a
// connection of its node for some seconds: this spreads the clients that one node answers evenly.

import type { NodeReport } from './node-registry.ts'

/** The event loop lag, in milliseconds, beyond which a node counts as full: it has more work than it can do. */
const lagMax = 500
const fallbacksMax = 5
/**
 * For how many reports of a node, a second apart, a client sent to it counts on top of the reported connections: connecting takes
 * time when many clients come. Clients that are already in the report count twice, equally on all nodes.
 */
const periodsKept = 5

/** How near two regions are: the number of leading parts that their names share. `eu-west-1` and `eu-west-2` share two. */
export function nearness(one: string, other: string): number {
  const [parts, others] = [one.split('-'), other.split('-')]
  const differsAt = parts.findIndex((part, i) => part !== others[i])
  return differsAt < 0 ? parts.length : differsAt
}

/** A choice of nodes: the recommended one, and those to try if it does not answer, best first. */
export type NodeChoice = { readonly node: NodeReport; readonly fallbacks: readonly NodeReport[] }

/** Chooses nodes for clients. Remembers its recent recommendations. */
export class NodeChooser {
  /** How many clients were sent to a node between its last reports, newest first. */
  readonly #recommended = new Map<string, number[]>()

  /** Takes a report. Clients sent to the node several reports ago are in its own count by now, or have gone elsewhere. */
  onReport({ id }: NodeReport): void {
    const recommended = this.#recommended.get(id)
    if (!recommended) return
    recommended.unshift(0)
    recommended.length = Math.min(recommended.length, periodsKept)
    if (recommended.every((count) => count === 0)) this.#recommended.delete(id)
  }

  /**
   * Chooses the least loaded node in the nearest region that has a healthy node with room. If no region has one, chooses among
   * the overloaded nodes, nearest region first. Null if there is no usable node.
   */
  choose(nodes: readonly NodeReport[], region: string): NodeChoice | null {
    const ids = new Set(nodes.map(({ id }) => id))
    for (const id of this.#recommended.keys()) if (!ids.has(id)) this.#recommended.delete(id)
    const loads = new Map(nodes.map((node) => [node, this.#load(node)]))
    const load = (node: NodeReport) => loads.get(node) ?? 1
    const isFull = (node: NodeReport) => load(node) >= 1 || node.eventLoopLagMs > lagMax
    const draws = new Map(nodes.map((node) => [node, Math.random()]))
    const distances = new Map(nodes.map((node) => [node, -nearness(node.region, region)]))
    const distance = (node: NodeReport) => distances.get(node) ?? 0
    const ranked = nodes
      .filter((node) => !node.isDraining && node.isFollowing)
      .sort(
        (a, b) =>
          Number(isFull(a)) - Number(isFull(b)) ||
          distance(a) - distance(b) ||
          load(a) - load(b) ||
          (draws.get(a) ?? 0) - (draws.get(b) ?? 0),
      )
    const [node, ...others] = ranked
    if (!node) return null
    const [newest = 0, ...older] = this.#recommended.get(node.id) ?? []
    this.#recommended.set(node.id, [newest + 1, ...older])
    // Nodes behind one load balancer share an address: list it once.
    const isFirst = (other: NodeReport) => ranked.findIndex(({ url }) => url === other.url) === ranked.indexOf(other)
    return { node, fallbacks: others.filter(isFirst).slice(0, fallbacksMax) }
  }

  #load({ id, connections, capacity }: NodeReport): number {
    const recommended = (this.#recommended.get(id) ?? []).reduce((sum, count) => sum + count, 0)
    return (connections + recommended) / capacity
  }
}
