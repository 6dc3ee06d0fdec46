// The webhook: an endpoint of the operator's own, which passes notifications on to FCM, APNs, e-mail or any other system.
// The requests are signed.

import { signWebhook } from '../../webhook-signature.ts'
import { openPoster } from './post.ts'
import { attempt, type Provider } from './provider.ts'

/** Opens the provider. The operator chose the address, so it may be private. */
export function openWebhook({ url, secret }: { url: URL; secret: Buffer }): Provider {
  const poster = openPoster(null)
  return {
    send({ platform, endpoint: token }, { id, payload, topic, ttlS, urgency }) {
      const notification: unknown = JSON.parse(payload)
      const body = Buffer.from(JSON.stringify({ type: 'notification', platform, token, topic, ttlS, urgency, notification }))
      return attempt(poster, url, () => ({
        headers: { 'content-type': 'application/json', ...signWebhook(id, body, secret) },
        body,
      }))
    },
    close: () => poster.close(),
  }
}
