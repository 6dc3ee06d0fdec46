// The addresses to which webhooks go: the public internet, and the networks that the operator allows.

import { BlockList, isIP } from 'node:net'
import type { Config } from '../config/config.ts'
import { badInput } from '../errors.ts'
import { hostOf, isPublic, resolveHost } from '../push/providers/addresses.ts'

/** Tells whether webhooks may go to an address. */
export type AllowsAddress = (address: string) => boolean

/** The addresses that the settings allow. `isOwn`: only those in the operator's own networks. */
export function webhookAddresses({ webhookNetworks }: Config): { isAllowed: AllowsAddress; isOwn: AllowsAddress } {
  const own = new BlockList()
  for (const network of webhookNetworks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) own.addAddress(address, family)
    else own.addSubnet(address, Number(bits), family)
  }
  const isOwn = (address: string) => isIP(address) !== 0 && own.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return { isAllowed: (address) => isPublic(address) || isOwn(address), isOwn }
}

/**
 * Checks the address of a webhook. Each connection checks it again.
 * @throws ParleyError BAD_INPUT
 */
export async function requireAddress(text: string, config: Config, argument: string): Promise<void> {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw badInput(argument, 'must be a URL that begins with https:')
  if (url.username !== '' || url.password !== '') throw badInput(argument, 'must not contain a user or password')
  const { isAllowed, isOwn } = webhookAddresses(config)
  const addresses = await resolveHost(hostOf(url))
  if (addresses.length === 0) throw badInput(argument, 'must be at a host that this server can resolve')
  if (!addresses.every(isAllowed)) {
    throw badInput(argument, 'must be on the public internet, or in a network that PARLEY_WEBHOOK_ALLOWED_NETWORKS allows')
  }
  if (url.protocol === 'http:' && !addresses.every(isOwn)) throw badInput(argument, 'must begin with https:')
}
