// Notifications of a node: opens the configured providers, the journal reader that makes jobs, the workers that do them, and the
// trimmer. Without a provider, nothing runs.

import type { App } from '../parts.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { statement } from '../store/reader.ts'
import { openWorkers, type Workers } from '../store/workers.ts'
import { clear } from './jobs/clear.ts'
import { type Deliverer, deliver, type Providers } from './jobs/deliver.ts'
import { jobForms } from './jobs/jobs.ts'
import { notify } from './jobs/notify.ts'
import { openReader } from './jobs/reader.ts'
import { openApns } from './providers/apns.ts'
import { openFcm } from './providers/fcm.ts'
import { workers as concurrency, Services } from './providers/services.ts'
import { openWebPush } from './providers/web-push.ts'
import { openWebhook } from './providers/webhook.ts'

/** The open notifications of a node. */
export type Push = { close(): Promise<void> }

const trimMs = 600_000
const trimRows = 10_000
/** How long decisions are kept. */
export const decisionDays = 7
const trim = statement(
  'push_trim',
  `delete from push_delivery where id = any(array(
     select id from push_delivery where decided_at < now() - interval '${decisionDays} days' order by decided_at limit ${trimRows})) returning id`,
)
/** Removes registrations whose session has ended: nothing is sent to them. */
const trimRegistrations = statement(
  'push_trim_registrations',
  `delete from push_registration r using session s
    where s.id = r.session_id and (s.revoked_at is not null or s.expires_at < now())`,
)
/** The library draws a number for each added job from the sequence of its few task names, an integer that would overflow. */
const restart = statement(
  'push_restart_sequence',
  `select setval(pg_get_serial_sequence('graphile_worker._private_tasks', 'id'), max(id)) from graphile_worker._private_tasks`,
)

/** Opens the notifications of a node. */
export function openPush(app: App): Push {
  const providers = openProviders(app)
  if (Object.keys(providers).length === 0) return { close: async () => undefined }
  const services = new Services(app.clock)
  const deliverer: Deliverer = { app, providers, services, maySend: () => workers.isHeld() }
  const { push_notify, push_deliver, push_clear } = jobForms
  const tasks = {
    push_notify: async (payload: unknown) => notify(app, push_notify.parse(payload)),
    push_deliver: async (payload: unknown) => {
      const { service, deliveryIds } = push_deliver.parse(payload)
      await deliver(deliverer, service, deliveryIds)
    },
    push_clear: async (payload: unknown) => {
      const { userId, conversationId } = push_clear.parse(payload)
      await clear(app, userId, conversationId)
    },
  }
  const workers: Workers = openWorkers(app, { tasks, concurrency, busy: () => services.busy() })
  const reader = openReader(app)
  const trimmer = openTrimmer(app)
  return {
    async close() {
      await reader.close()
      await workers.close()
      await trimmer.close()
      for (const provider of Object.values(providers)) provider.close()
    },
  }
}

function openProviders({ vapid, config }: App): Providers {
  const { subject, allowsPrivate, webhook, fcm, apns } = config.push
  return {
    ...(vapid ? { WEB_PUSH: openWebPush(vapid, subject, allowsPrivate) } : {}),
    ...(fcm ? { FCM: openFcm(fcm) } : {}),
    ...(apns ? { APNS: openApns(apns) } : {}),
    ...(webhook ? { WEBHOOK: openWebhook(webhook) } : {}),
  }
}

function openTrimmer({ store, log }: App): BackgroundLoop {
  const run = async (closing: AbortSignal) => {
    while ((await store.jobs.reader.rows(trim, [])).length === trimRows && !closing.aborted);
    for (const statement of [trimRegistrations, restart]) await store.jobs.reader.rows(statement, [])
  }
  return new BackgroundLoop({ everyMs: trimMs, gatherMs: 0, failure: 'old notifications could not be trimmed', run }, log)
}
