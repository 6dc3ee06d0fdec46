// A wire between a node and a server (Postgres, Redis) that a test can cut, freeze and mend: what a stopped process, a broken
// switch or a firewall that forgets does to a connection. The server itself is shared with other tests and goes on.

import { createServer, connect as dial, type Socket } from 'node:net'
import { closeAtEnd } from './node.ts'

/** A wire. What is opened over it while it is cut or frozen meets the same. */
export type Wire = {
  /** The server's URL, by way of this wire. */
  readonly url: string
  /** Breaks every connection; new ones are broken at once. */
  cut(): void
  /** Lets nothing through in either direction, without anybody being told. */
  freeze(): void
  /** Lets everything through again. What was frozen goes on where it stopped. */
  mend(): void
  /** How many connections are open over it. */
  count(): number
}

/** Lays a wire to the server of a URL. */
export async function openWire(serverUrl: string): Promise<Wire> {
  const target = new URL(serverUrl)
  const pairs = new Set<readonly [Socket, Socket]>()
  let state: 'whole' | 'cut' | 'frozen' = 'whole'
  const server = createServer((near) => {
    near.on('error', () => undefined)
    if (state === 'cut') {
      near.destroy()
      return
    }
    const far = dial(Number(target.port), target.hostname)
    far.on('error', () => undefined)
    const pair = [near, far] as const
    pairs.add(pair)
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause()
      })
      to.on('drain', () => state === 'frozen' || from.resume())
      from.on('close', () => {
        pairs.delete(pair)
        to.destroy()
      })
      if (state === 'frozen') from.pause()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const breakAll = () => {
    for (const [near, far] of pairs) {
      near.destroy()
      far.destroy()
    }
  }
  closeAtEnd(async () => {
    server.close()
    breakAll()
  })
  const { port } = server.address() as { port: number }
  return {
    url: Object.assign(new URL(serverUrl), { hostname: '127.0.0.1', port: String(port) }).href,
    cut() {
      state = 'cut'
      breakAll()
    },
    freeze() {
      state = 'frozen'
      for (const socket of [...pairs].flat()) socket.pause()
    },
    mend() {
      state = 'whole'
      for (const socket of [...pairs].flat()) socket.resume()
    },
    count: () => pairs.size,
  }
}
