// Sends the events of webhooks. Every node looks for webhooks that no node sends to, and sends to those that it gets hold of.

import type { ReadEvent } from '../graphql/event-data.ts'
import type { WebhookId } from '../id.ts'
import type { App } from '../parts.ts'
import { openPoster } from '../push/providers/post.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { reportFailure } from '../store/postgres.ts'
import { webhookAddresses } from './webhook-addresses.ts'
import { type SenderNode, sendEvents } from './webhook-sender.ts'
import { type HeldWebhook, holdWebhooks } from './webhooks.ts'

/** How often to look for webhooks that no node sends to. */
const lookMs = 2_000

/** The webhooks of a node. */
export type WebhookWorkers = { close(): Promise<void> }

/** Opens the webhooks of a node; `read` gives the data of their events. */
export function openWebhooks(app: App, read: ReadEvent): WebhookWorkers {
  const closing = new AbortController()
  const sending = new Map<WebhookId, { readonly stop: AbortController; readonly done: Promise<void> }>()
  const poster = openPoster(webhookAddresses(app.config).isAllowed)
  const node: SenderNode = { app, poster, read }
  const failure = 'webhooks could not be looked for'
  const start = (webhook: HeldWebhook) => {
    // An older hold of this node has ended: the webhook was changed.
    const before = sending.get(webhook.id)
    before?.stop.abort()
    const stop = new AbortController()
    const isOver = AbortSignal.any([closing.signal, stop.signal])
    const done = Promise.resolve(before?.done)
      .then(() => sendEvents(node, webhook, isOver))
      .catch((error: unknown) => reportFailure(app.log, error, 'a webhook could not be sent'))
      .finally(() => {
        if (sending.get(webhook.id)?.stop === stop) sending.delete(webhook.id)
      })
    sending.set(webhook.id, { stop, done })
  }
  const run = async () => {
    for (const webhook of await holdWebhooks(app.store.jobs.reader)) start(webhook)
  }
  const loop = new BackgroundLoop({ everyMs: lookMs, gatherMs: 0, failure, run }, app.log)
  return {
    async close() {
      closing.abort()
      await loop.close()
      await Promise.all([...sending.values()].map(({ done }) => done))
      poster.close()
    },
  }
}
