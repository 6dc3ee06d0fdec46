// The webhook: an endpoint of the operator's own, which passes notifications on to FCM, APNs, e-mail or any other system.
// Signed by the Standard Webhooks specification, https://github.com/standard-webhooks/standard-webhooks, version 1: a symmetric
// signature `v1,<base64>` of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. The id is the same at each attempt.

import { createHmac } from 'node:crypto'
import { openPoster } from './post.ts'
import { attempt, type Provider } from './provider.ts'

/** Opens the provider. The operator chose the address, so it may be private. */
export function openWebhook({ url, secret }: { url: URL; secret: Buffer }): Provider {
  const poster = openPoster(false)
  return {
    send({ platform, endpoint: token }, { id, payload, topic, ttlS, urgency }) {
      const notification: unknown = JSON.parse(payload)
      const body = Buffer.from(JSON.stringify({ type: 'notification', platform, token, topic, ttlS, urgency, notification }))
      return attempt(poster, url, () => ({ headers: { 'content-type': 'application/json', ...signed(id, body, secret) }, body }))
    },
    close: () => poster.close(),
  }
}

function signed(id: string, body: Buffer, secret: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
