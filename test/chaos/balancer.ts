// The load balancer in front of all nodes of a run: each connection goes to a random node, healthy or not.

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from '../support/random.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * A fetch that replaces the node ports in answers of the gateway by the ports of their proxies.
 * @param ports the proxy port for each node port
 */
export function throughProxies(ports: ReadonlyMap<number, number>): typeof fetch {
  return async (to, init) => {
    const response = await fetch(to, init)
    if (!/\bgateway\b/.test(String(init?.body))) return response
    const text = await response.text()
    const named = text.replaceAll(/127\.0\.0\.1:(\d+)/g, (_, port) => `127.0.0.1:${ports.get(Number(port)) ?? port}`)
    return new Response(named, response)
  }
}

/** A balancer without health checks. */
export class Balancer {
  /** The URL of the GraphQL endpoint. */
  readonly url: string
  readonly #server: Server
  readonly #sockets: Set<Socket>

  private constructor(server: Server, port: number, sockets: Set<Socket>) {
    this.#server = server
    this.#sockets = sockets
    this.url = `http://127.0.0.1:${port}/graphql`
  }

  static async open(endpoints: readonly [Endpoint, ...Endpoint[]], random: Random): Promise<Balancer> {
    const sockets = new Set<Socket>()
    const server = createServer((client) => {
      const node = connect(random.one(endpoints).port, '127.0.0.1')
      for (const [socket, other] of [
        [client, node],
        [node, client],
      ] as const) {
        sockets.add(socket)
        socket.setNoDelay(true)
        socket.on('error', () => undefined)
        socket.on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
        socket.pipe(other)
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the balancer has no port')
    return new Balancer(server, address.port, sockets)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}
