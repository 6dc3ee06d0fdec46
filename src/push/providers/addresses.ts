// Checks the addresses that a node sends to. A device can name any host as its push service, so none may lead into the node's
// own network. The check runs when a device registers, and again at each connection, on the very address that the node connects
// to: by then, the name may have another address.

import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import { lookup as lookupAll } from 'node:dns/promises'
import { BlockList, isIP, type LookupFunction } from 'node:net'

const v4: readonly (readonly [net: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]
/** Ranges in the public part of IPv6 that are not for hosts, or that embed an IPv4 address for a translator. */
const v6: readonly (readonly [net: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const refused = new BlockList()
for (const [net, prefix] of v4) refused.addSubnet(net, prefix, 'ipv4')
for (const [net, prefix] of v6) refused.addSubnet(net, prefix, 'ipv6')
const globalV6 = new BlockList()
globalV6.addSubnet('2000::', 3, 'ipv6')

/**
 * Whether an IP address belongs to the public internet. Private, loopback, link-local, shared, reserved and multicast addresses
 * do not, nor does any IPv6 address outside 2000::/3, which excludes IPv4-mapped addresses.
 */
export function isPublic(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !refused.check(address, 'ipv4')
    case 6:
      return globalV6.check(address, 'ipv6') && !refused.check(address, 'ipv6')
    default:
      return false
  }
}

/** A host is at an address that a node must not send to. The message names no host: the user who registered it can see it. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError'
  constructor() {
    super('the host is at a private address')
  }
}

/** The host of a URL in the form that `net` expects: an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/**
 * A look-up for connections that fails if any address of the name is not allowed. Node.js does not call it if the host is already
 * an address: check that beforehand.
 */
export const confinedLookup =
  (isAllowed: (address: string) => boolean): LookupFunction =>
  (hostname, options, callback) => {
    const { family, hints } = options
    const all: LookupAllOptions = { all: true, ...(family === undefined ? {} : { family }), ...(hints ? { hints } : {}) }
    lookup(hostname, all, (error, found: LookupAddress[]) => {
      const [first] = found ?? []
      if (error || !first) return callback(error ?? new Error('the host has no address'), [])
      if (!found.every(({ address }) => isAllowed(address))) return callback(new PrivateAddressError(), [])
      if (options.all) callback(null, found)
      else callback(null, first.address, first.family)
    })
  }

/**
 * The time limit for looking up a host that a client names. A refusal of a host name always takes this long, whatever the cause, so that
 * the time does not reveal which names the network of this server knows.
 */
export const lookupMs = 1_500

/** Looks up the addresses of a host; none if that fails or takes too long. */
export async function resolveHost(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<[]>((done) => {
    timer = setTimeout(() => done([]), lookupMs)
  })
  const found = lookupAll(host, { all: true }).catch(() => [])
  const addresses = await Promise.race([found, late])
  clearTimeout(timer)
  return addresses.map(({ address }) => address)
}
