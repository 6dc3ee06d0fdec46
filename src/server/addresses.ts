// The address of a client: that of its connection, or the one that a trusted proxy reports. It also counts the open WebSockets
// and event streams of each address on this node, so that no address takes all of them (D7).

import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { Config } from '../config/config.ts'

/** Finds the address of the client of a request. */
export type AddressOf = (request: IncomingMessage) => string

/**
 * Makes the finder. It reads `X-Forwarded-For` from its end, as long as each address belongs to a trusted proxy: a client could
 * have written whatever comes before that.
 */
export function addressFinder(trustedProxies: readonly string[]): AddressOf {
  const trusted = new BlockList()
  for (const network of trustedProxies) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(bits), family)
  }
  const isTrusted = (address: string) => isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return ({ socket, headers }) => {
    // A connection that was reset has no address any more. The empty one stands for the server itself.
    let address = plain(socket.remoteAddress ?? 'unknown')
    if (trustedProxies.length === 0) return address
    const forwarded = String(headers['x-forwarded-for'] ?? '').split(',')
    while (isTrusted(address)) {
      const before = plain(forwarded.pop() ?? '')
      if (isIP(before) === 0) break
      address = before
    }
    return address
  }
}

/** An address without the port or brackets that some proxies add; an IPv4 address mapped to IPv6 becomes IPv4 again. */
function plain(text: string): string {
  const trimmed = text.trim()
  const [, bare] = /^\[(.+)\](?::\d+)?$/.exec(trimmed) ?? /^([\d.]+):\d+$/.exec(trimmed) ?? []
  return (bare ?? trimmed).replace(/^::ffff:(?=\d+\.)/i, '')
}

/** What counts as one address: for IPv6 the network of 64 bits, because one customer has all of it. */
export function neighbourhood(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const groups = head.split(':').filter((group) => group !== '')
  const behind = (tail ?? '').split(':').filter((group) => group !== '').length
  const zeros = tail === undefined ? 0 : 8 - groups.length - behind
  return [...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...(tail ?? '').split(':')]
    .slice(0, 4)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':')
}

/** One WebSocket or event stream in the count of its address. */
export type AddressSlot = {
  /** Counts it as one of a session from now on. @returns false if its address already has too many of these */
  takeSession(): boolean
  /** Stops counting it, because it has closed. */
  leave(): void
}

/** Whether a WebSocket or event stream belongs to a session. */
export type SlotKind = 'withSession' | 'withoutSession'

/** Counts the WebSockets and event streams of each address. */
export class AddressCounts {
  readonly #limits: Config['socket']['perAddress']
  readonly #counts = new Map<string, Record<SlotKind, number>>()

  constructor(limits: Config['socket']['perAddress']) {
    this.#limits = limits
  }

  /** Counts one more. @returns null if its address already has too many of this kind */
  enter(address: string, kind: SlotKind): AddressSlot | null {
    const key = neighbourhood(address)
    const counts = this.#counts.get(key) ?? { withSession: 0, withoutSession: 0 }
    if (counts[kind] >= this.#limits[kind]) return null
    let now: SlotKind | null = kind
    counts[now] += 1
    this.#counts.set(key, counts)
    return {
      takeSession: () => {
        if (now !== 'withoutSession') return true
        if (counts.withSession >= this.#limits.withSession) return false
        counts.withoutSession -= 1
        counts.withSession += 1
        now = 'withSession'
        return true
      },
      leave: () => {
        if (now === null) return
        counts[now] -= 1
        now = null
        if (counts.withSession + counts.withoutSession === 0) this.#counts.delete(key)
      },
    }
  }
}
