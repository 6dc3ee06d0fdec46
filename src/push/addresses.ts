// Where a node sends on behalf of others: addresses that people name. A device may name any host as its push service, so none
// may lead into the network that the node stands in. Whether it does is looked at when a device registers, and again at each
// connection, at the very address that is connected to: a name may mean something else by then.

import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
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
/** Of the public part of IPv6: what is not for hosts, and what holds an IPv4 address that a translator would go to. */
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
 * Whether an IP address is one of the public internet. Private, loopback, link-local, shared, reserved and multicast ones are
 * not; of IPv6 nothing is that lies outside 2000::/3, so neither are IPv4 addresses in the dress of IPv6.
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

/** A host that may not be sent to. Its message names no host: it is shown to whoever registered it. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError'
  constructor() {
    super('the host is at a private address')
  }
}

/** The host of a URL as `net` takes it: an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/**
 * A look-up for connections that finds public addresses only, and fails where one of those that a name has is not. It is not
 * asked where the host is an address already: check that beforehand.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  const { family, hints } = options
  const all: LookupAllOptions = { all: true, ...(family === undefined ? {} : { family }), ...(hints ? { hints } : {}) }
  lookup(hostname, all, (error, found: LookupAddress[]) => {
    const [first] = found ?? []
    if (error || !first) return callback(error ?? new Error('the host has no address'), [])
    if (!found.every(({ address }) => isPublic(address))) return callback(new PrivateAddressError(), [])
    if (options.all) callback(null, found)
    else callback(null, first.address, first.family)
  })
}
