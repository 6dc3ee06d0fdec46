// A TCP proxy in front of a node. It can cut connections in the middle of a frame, or stop reading from the node for a while, like
// a phone in a tunnel.

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from '../support/random.ts'

type Link = { readonly client: Socket; readonly node: Socket; isStream: boolean; isStalled: boolean; cutAfter: number | null }

/** The proxy of one node. */
export class NodeProxy {
  readonly port: number
  readonly #server: Server
  readonly #links: Set<Link>

  private constructor(server: Server, port: number, links: Set<Link>) {
    this.#server = server
    this.port = port
    this.#links = links
  }

  /** Opens a proxy on a free port of the loopback interface. */
  static async open(nodePort: number): Promise<NodeProxy> {
    const links = new Set<Link>()
    const server = createServer((client) => join(links, client, connect(nodePort, '127.0.0.1')))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
    return new NodeProxy(server, address.port, links)
  }

  /** Cuts some connections, each after a random number of further bytes in one direction: usually within a frame. */
  cut(random: Random, most: number): number {
    const chosen = this.#choose(random, most, () => true)
    for (const link of chosen) link.cutAfter = random.whole(1, 1_500)
    return chosen.length
  }

  /** Stops reading from the node on some WebSockets, for `forMs`. */
  stall(random: Random, most: number, forMs: number): number {
    const chosen = this.#choose(random, most, ({ isStream, isStalled }) => isStream && !isStalled)
    for (const link of chosen) {
      link.isStalled = true
      link.node.pause()
      setTimeout(() => {
        link.isStalled = false
        link.node.resume()
      }, forMs)
    }
    return chosen.length
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const { client, node } of this.#links) {
      client.destroy()
      node.destroy()
    }
    await closed
  }

  #choose(random: Random, most: number, fits: (link: Link) => boolean): Link[] {
    const fitting = [...this.#links].filter(fits)
    const chosen: Link[] = []
    while (chosen.length < most && fitting.length > 0) chosen.push(...fitting.splice(random.whole(0, fitting.length - 1), 1))
    return chosen
  }
}

function join(links: Set<Link>, client: Socket, node: Socket): void {
  const link: Link = { client, node, isStream: false, isStalled: false, cutAfter: null }
  links.add(link)
  client.setNoDelay(true)
  node.setNoDelay(true)
  client.once('data', (chunk) => {
    link.isStream = chunk.subarray(0, 4).toString('latin1') === 'GET '
  })
  for (const [from, to] of [
    [client, node],
    [node, client],
  ] as const) {
    from.on('data', (chunk) => pass(link, from, to, chunk))
    to.on('drain', () => {
      if (!(link.isStalled && from === node)) from.resume()
    })
    from.on('error', () => undefined)
    from.on('close', () => {
      links.delete(link)
      to.destroy()
    })
  }
}

function pass(link: Link, from: Socket, to: Socket, chunk: Buffer): void {
  if (link.cutAfter === null || chunk.length < link.cutAfter) {
    if (link.cutAfter !== null) link.cutAfter -= chunk.length
    if (!to.write(chunk)) from.pause()
    return
  }
  // Send the bytes before the cut, then reset: the other side is left with half a frame.
  const half = chunk.subarray(0, link.cutAfter)
  link.cutAfter = null
  from.removeAllListeners('data')
  to.end(half, () => {
    from.resetAndDestroy()
    to.destroy()
  })
}
