// Which node a client should open its socket to. Pure but for the draw among equals.
//
// Reports are up to a second old, and a thousand clients may ask within it. So each recommendation counts as a connection of
// its node for some seconds: the clients that one node answers are dealt out evenly.

import type { NodeReport } from './node-registry.ts'

/** Beyond this lag, in milliseconds, a node is as good as full: it has more to do than it can. */
const lagMax = 500
const fallbacksMax = 5
/**
 * For so many reports, a second apart, a client that was sent to a node counts beside those that it tells of: a connection takes its
 * time when many come. Those that it tells of already count twice, on all nodes alike.
 */
const periodsKept = 5

/** How near two regions are: how many parts their names begin with in common, `eu-west-1` and `eu-west-2` two. */
export function nearness(one: string, other: string): number {
  const [parts, others] = [one.split('-'), other.split('-')]
  const differsAt = parts.findIndex((part, i) => part !== others[i])
  return differsAt < 0 ? parts.length : differsAt
}

/** A choice of nodes: the recommended one, and where to go when it does not answer, best first. */
export type NodeChoice = { readonly node: NodeReport; readonly fallbacks: readonly NodeReport[] }

/** Chooses nodes for clients; remembers whom it has sent where lately. */
export class NodeChooser {
  /** How many clients were sent to a node between its last reports, the newest first. */
  readonly #recommended = new Map<string, number[]>()

  /** A node has reported. Clients that were sent to it some reports ago are in its own count by now, or went elsewhere. */
  onReport({ id }: NodeReport): void {
    const recommended = this.#recommended.get(id)
    if (!recommended) return
    recommended.unshift(0)
    recommended.length = Math.min(recommended.length, periodsKept)
    if (recommended.every((count) => count === 0)) this.#recommended.delete(id)
  }

  /**
   * Chooses among nodes: the least loaded one of the nearest region that has a healthy one with room; where none has, the
   * least loaded of all that can be had. Null where there is none.
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
    // Nodes behind one balancer share an address: it is listed once.
    const isFirst = (other: NodeReport) => ranked.findIndex(({ url }) => url === other.url) === ranked.indexOf(other)
    return { node, fallbacks: others.filter(isFirst).slice(0, fallbacksMax) }
  }

  #load({ id, connections, capacity }: NodeReport): number {
    const recommended = (this.#recommended.get(id) ?? []).reduce((sum, count) => sum + count, 0)
    return (connections + recommended) / capacity
  }
}
