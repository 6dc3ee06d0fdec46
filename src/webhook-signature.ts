// Signatures of requests to the addresses of operators and of their backends.

import { createHmac } from 'node:crypto'

/**
 * The headers that sign a body for its receiver, by the Standard Webhooks specification, version 1:
 * https://github.com/standard-webhooks/standard-webhooks. A symmetric signature `v1,<base64>` of HMAC-SHA256 over
 * `<webhook-id>.<webhook-timestamp>.<body>`. The id is the same at each attempt.
 */
export function signWebhook(id: string, body: Buffer, secret: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
