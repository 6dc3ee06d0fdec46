// The job that delivers notifications: decides again (the message may have been read while the push service was away), sends,
// and records the outcome. If a node dies between sending and recording, another node sends again, with the same id and topic,
// so that the device shows it once.

import { setTimeout as delay } from 'node:timers/promises'
import pLimit from 'p-limit'
import type { App } from '../../parts.ts'
import { isTransient } from '../../store/postgres.ts'
import { decide, lifetimeMs } from '../decide.ts'
import { clearPayload, messagePayload, type ShownContent, testPayload, topicOf } from '../payload.ts'
import { type Notification, type Provider, type Registration, serviceOf } from '../providers/provider.ts'
import type { Services } from '../providers/services.ts'
import { type Case, readBadges, readCases, readContents } from '../situation.ts'
import { type DeliveryOutcome, type Due, findDue, record } from './deliveries.ts'
import { pushSteps } from './steps.ts'

/** Concurrent requests of one job: all of its deliveries, so that each is sent right after its decision. */
const sendsAtOnce = 8
/** How long to retry recording outcomes while the database is away. */
const recordMs = 30_000
const recordPauseMs = 500

/** The providers that this server offers. */
export type Providers = Partial<Record<Registration['provider'], Provider>>

/** The parts of a node that delivering needs. */
export type Deliverer = {
  readonly app: App
  readonly providers: Providers
  readonly services: Services
  /** Whether this node may send now: it is not closing, and no other node can have taken its jobs. */
  maySend(): boolean
}

/** Delivers what is due among these deliveries. */
export async function deliver(deliverer: Deliverer, service: string, deliveryIds: readonly number[]): Promise<void> {
  const { app, services } = deliverer
  const due = await findDue(app.store.jobs.reader, deliveryIds)
  if (due.length === 0) return
  // A device may have moved to another service since: then the next job is for that service.
  const isOfService = ({ registration }: Due) => registration === null || serviceOf(app.config, registration) === service
  const strays = due.filter((one) => !isOfService(one))
  if (strays.length > 0) await postpone(deliverer, strays)
  if (strays.length === due.length) return
  const here = due.filter(isOfService)
  if (!services.enter(service)) return postpone(deliverer, here)
  try {
    const outcomes = await attemptAll(deliverer, service, here)
    await recordSurely(deliverer, outcomes)
  } finally {
    services.leave(service)
  }
}

async function postpone(deliverer: Deliverer, due: readonly Due[]): Promise<void> {
  await recordSurely(
    deliverer,
    due.map((one) => ({ due: one, type: 'UNTRIED' }) as const),
  )
}

async function attemptAll(deliverer: Deliverer, service: string, due: readonly Due[]): Promise<DeliveryOutcome[]> {
  const { app } = deliverer
  const { reader } = app.store.jobs
  const now = new Date(app.clock.now())
  const pairs = due.flatMap(({ kind, messageId, userId }) =>
    kind === 'MESSAGE' && messageId !== null ? [{ messageId, userId }] : [],
  )
  const cases = new Map((await readCases(app, pairs)).map((one) => [`${one.messageId}:${one.userId}`, one]))
  const badges = await readBadges(
    reader,
    due.map(({ userId }) => userId),
    now,
  )
  const contents = await readContents(
    reader,
    pairs.map(({ messageId }) => messageId),
  )
  await app.store.flush() // a notification that was sent cannot be taken back (B1)
  const turn = pLimit(sendsAtOnce)
  return Promise.all(
    due.map((one) => {
      const found = cases.get(`${one.messageId}:${one.userId}`)
      const skipped = findSkip(one, found, now)
      const badge = badges.get(one.userId) ?? 0
      const content = (one.messageId === null ? null : contents.get(one.messageId)) ?? { text: '', attached: [] }
      return skipped ?? turn(() => attemptOne(deliverer, service, one, notificationOf(one, found, content, badge, now)))
    }),
  )
}

/** The outcome of a delivery that must not be sent; null if it must. */
function findSkip(due: Due, found: Case | undefined, now: Date): DeliveryOutcome | null {
  if (due.registration === null) return { due, type: 'GONE' }
  if (due.restsUntil !== null) return { due, type: 'UNTRIED', until: due.restsUntil }
  if (due.kind === 'CLEAR' && due.isSuperseded) return { due, type: 'SKIPPED', reason: 'READ' }
  if (due.kind !== 'MESSAGE') return null
  if (due.isSuperseded) return { due, type: 'SKIPPED', reason: 'SUPERSEDED' }
  const reason = found ? decide(found.situation, now) : 'LEFT'
  return reason === null ? null : { due, type: 'SKIPPED', reason }
}

function notificationOf(due: Due, found: Case | undefined, content: ShownContent, badge: number, now: Date): Notification {
  const { kind, userId, conversationId } = due
  const id = `ntf_${due.id}`
  const topic = conversationId === null ? null : topicOf(conversationId, userId)
  const ttlS = (since: Date) => Math.max(0, Math.floor((since.getTime() + lifetimeMs - now.getTime()) / 1_000))
  if (kind === 'MESSAGE' && found) {
    const { shown, situation } = found
    const urgency = situation.isDirect || situation.isMentioned ? 'high' : 'normal'
    const payload = messagePayload(id, { ...shown, ...content }, situation.wishes.showsText, badge)
    return { id, payload, topic, ttlS: ttlS(situation.message.createdAt), urgency }
  }
  if (kind === 'CLEAR' && conversationId !== null)
    return { id, payload: clearPayload(id, conversationId, badge), topic, ttlS: ttlS(due.decidedAt), urgency: 'low' }
  return { id, payload: testPayload(id, badge), topic: null, ttlS: 60, urgency: 'high' }
}

async function attemptOne(
  { app, providers, services, maySend }: Deliverer,
  service: string,
  due: Due,
  notification: Notification,
): Promise<DeliveryOutcome> {
  const registration = due.registration as Registration
  const provider = providers[registration.provider]
  if (!provider) return { due, type: 'REFUSED', error: 'this server no longer offers this kind of notification' }
  if (!maySend() || services.isPaused(service)) return { due, type: 'UNTRIED' }
  const startedAt = Date.now()
  pushSteps.sending.publish({ deliveryId: due.id })
  const result = await provider.send(registration, notification)
  pushSteps.sent.publish({ deliveryId: due.id, service, result: result.type })
  services.learn(service, result, Date.now() - startedAt)
  if (result.type !== 'SENT') {
    const { type } = result
    app.log.debug({ deliveryId: due.id, service, type, because: 'error' in result ? result.error : undefined }, 'not delivered')
  }
  return { due, ...result }
}

/** Records outcomes, waiting for the database if it is away: without the record, notifications would be sent again. */
async function recordSurely({ app }: Deliverer, outcomes: readonly DeliveryOutcome[]): Promise<void> {
  for (const deadline = Date.now() + recordMs; ; await delay(recordPauseMs)) {
    try {
      await record(app, outcomes)
      return pushSteps.recorded.publish({ deliveries: outcomes.length })
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline) throw error
    }
  }
}
