// A proxy between a node and a server (Postgres, Redis) that a test can cut, freeze and repair: it does to connections what a
// stopped process, a broken switch or a forgetful firewall does. The server itself is shared with other tests and continues.

import { createServer, connect as dial, type Socket } from 'node:net'
import { closeAtEnd } from './node.ts'

/** A proxy. While it is cut or frozen, new connections break or freeze too. */
export type ServerProxy = {
  /** The server's URL, through this proxy. */
  readonly url: string
  /** Breaks every connection; new ones are broken at once. */
  cut(): void
  /** Lets nothing through in either direction, and closes nothing. */
  freeze(): void
  /** Lets everything through again. Frozen connections continue where they stopped. */
  restore(): void
  /** The number of open connections. */
  count(): number
}

/** Opens a proxy to the server of a URL. */
export async function openProxy(serverUrl: string): Promise<ServerProxy> {
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
    restore() {
      state = 'whole'
      for (const socket of [...pairs].flat()) socket.resume()
    },
    count: () => pairs.size,
  }
}
