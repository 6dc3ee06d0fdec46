// Web Push (RFC 8030): encrypted for the device (RFC 8291), signed by this installation (VAPID, RFC 8292). The library encrypts
// and signs; the request is our own, because the library's request has no bounds.

import { LRUCache } from 'lru-cache'
import webPush from 'web-push'
import type { VapidKeys } from '../../config/config.ts'
import { isPublic } from './addresses.ts'
import { openPoster } from './post.ts'
import { attempt, type Provider } from './provider.ts'

/** The token for a service is kept for an hour: signing each notification would be half of its cost. */
const tokenS = 12 * 3_600
const tokenKeptMs = 3_600_000
const servicesKept = 1_000

/** Opens the provider. */
export function openWebPush(keys: VapidKeys, subject: string, allowsPrivate: boolean): Provider {
  const poster = openPoster(allowsPrivate ? null : isPublic)
  const tokens = new LRUCache<string, string>({ max: servicesKept, ttl: tokenKeptMs })
  const tokenFor = (origin: string) => {
    const known = tokens.get(origin)
    if (known) return known
    const expiresAt = Math.floor(Date.now() / 1_000) + tokenS
    const made = webPush.getVapidHeaders(origin, subject, keys.publicKey, keys.privateKey, 'aes128gcm', expiresAt).Authorization
    tokens.set(origin, made)
    return made
  }
  return {
    send({ endpoint, p256dh, auth }, { payload, topic, ttlS, urgency }) {
      const url = new URL(endpoint)
      // Registered by an earlier version, which allowed other ports.
      if (!allowsPrivate && url.port !== '') return Promise.resolve({ type: 'REFUSED', error: 'its port is not 443' })
      return attempt(poster, url, () => {
        const options = { TTL: ttlS, urgency, contentEncoding: 'aes128gcm' as const, ...(topic === null ? {} : { topic }) }
        const { headers, body } = webPush.generateRequestDetails({ endpoint, keys: { p256dh, auth } }, payload, options)
        return { headers: { ...headers, Authorization: tokenFor(url.origin) } as Record<string, string>, body: body as Buffer }
      })
    },
    close: () => poster.close(),
  }
}
