// The job that delivers: decides once more (a message that was read while its device's service was away is not shown any more),
// sends, and writes down what became of it. What was sent and not written down, since the node died just then, is sent again by
// another: with the same id and topic, so that it is shown once.

import { setTimeout as delay } from 'node:timers/promises'
import pLimit from 'p-limit'
import type { App } from '../parts.ts'
import { isTransient } from '../store/postgres.ts'
import { decide, lifetimeMs } from './decide.ts'
import { type DeliveryOutcome, type Due, findDue, record } from './deliveries.ts'
import { clearPayload, messagePayload, testPayload, topicOf } from './payload.ts'
import { type Notification, type Provider, type Registration, serviceOf } from './provider.ts'
import type { Services } from './services.ts'
import { type Case, readBadges, readCases, readTexts } from './situation.ts'
import { pushSteps } from './steps.ts'

/** Requests of one job at once: all, so that what was decided is decided just before. */
const sendsAtOnce = 8
/** How long it is tried to write down what became of what was sent, while the database is away. */
const recordMs = 30_000
const recordPauseMs = 500

/** The ways to devices that this server has. */
export type Providers = Partial<Record<Registration['provider'], Provider>>

/** What delivering needs to know of the node. */
export type Deliverer = {
  readonly app: App
  readonly providers: Providers
  readonly services: Services
  /** Whether this node may send at this moment: it is not closing, and no other can have taken its jobs. */
  maySend(): boolean
}

/** Delivers what is due of these. */
export async function deliver(deliverer: Deliverer, service: string, deliveryIds: readonly number[]): Promise<void> {
  const { app, services } = deliverer
  const due = await findDue(app.store.jobs.reader, deliveryIds)
  if (due.length === 0) return
  // A device may have registered elsewhere meanwhile: then the next job is for that service.
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
  const texts = await readTexts(
    reader,
    pairs.map(({ messageId }) => messageId),
  )
  await app.store.flush() // what is shown outside cannot be taken back (B1)
  const turn = pLimit(sendsAtOnce)
  return Promise.all(
    due.map((one) => {
      const found = cases.get(`${one.messageId}:${one.userId}`)
      const skipped = findSkip(one, found, now)
      const badge = badges.get(one.userId) ?? 0
      return (
        skipped ??
        turn(() =>
          attemptOne(deliverer, service, one, notificationOf(one, found, texts.get(one.messageId ?? 0) ?? '', badge, now)),
        )
      )
    }),
  )
}

/** What becomes of a delivery without sending anything; null: it is to be sent. */
function findSkip(due: Due, found: Case | undefined, now: Date): DeliveryOutcome | null {
  if (due.registration === null) return { due, type: 'GONE' }
  if (due.restsUntil !== null) return { due, type: 'UNTRIED', until: due.restsUntil }
  if (due.kind === 'CLEAR' && due.isSuperseded) return { due, type: 'SKIPPED', reason: 'READ' }
  if (due.kind !== 'MESSAGE') return null
  if (due.isSuperseded) return { due, type: 'SKIPPED', reason: 'SUPERSEDED' }
  const reason = found ? decide(found.situation, now) : 'LEFT'
  return reason === null ? null : { due, type: 'SKIPPED', reason }
}

function notificationOf(due: Due, found: Case | undefined, text: string, badge: number, now: Date): Notification {
  const { kind, userId, conversationId } = due
  const id = `ntf_${due.id}`
  const topic = conversationId === null ? null : topicOf(conversationId, userId)
  const ttlS = (since: Date) => Math.max(0, Math.floor((since.getTime() + lifetimeMs - now.getTime()) / 1_000))
  if (kind === 'MESSAGE' && found) {
    const { shown, situation } = found
    const urgency = situation.isDirect || situation.isMentioned ? 'high' : 'normal'
    const payload = messagePayload(id, { ...shown, text }, situation.wishes.showsText, badge)
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
  pushSteps.sent.publish({ deliveryId: due.id })
  services.learn(service, result, Date.now() - startedAt)
  if (result.type !== 'SENT') {
    const { type } = result
    app.log.debug({ deliveryId: due.id, service, type, because: 'error' in result ? result.error : undefined }, 'not delivered')
  }
  return { due, ...result }
}

/** Writes outcomes down, also where the database has to be waited for: what was sent would be sent again. */
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
