// Notification actions: register a device, change the settings, send a test.

import { isIP } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Done } from '../conversation/actions.ts'
import { membershipUpdated } from '../conversation/events.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import { type ConversationId, sessionIdOf, userIdOf } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import { locks } from '../store/locks.ts'
import { statement } from '../store/reader.ts'
import type { Prisma } from '../store/store.ts'
import type { SessionViewer, Viewer } from '../viewer.ts'
import { defaultWishes, type PushLevel, type Wishes } from './decide.ts'
import { pushSettingsChanged, pushSubscriptionChanged } from './events.ts'
import { addJobs, deliverJobs } from './jobs/jobs.ts'
import { openRegistrations, registrationColumns } from './jobs/notify.ts'
import { hostOf, isPublic, lookupMs, resolveHost } from './providers/addresses.ts'
import { isOffered, type Registration, serviceOf } from './providers/provider.ts'

/** The address for a device's notifications. The schema has checked its form. */
export type PushAddress = Pick<Registration, 'provider' | 'platform' | 'endpoint' | 'p256dh' | 'auth'>

/** The least time between two test notifications. */
const testPauseMs = 5_000

/**
 * Registers the viewer's own device, replacing its previous registration. Another session with the same address loses it: it is
 * the same browser, where another user has logged in.
 * @throws ParleyError FORBIDDEN if this server does not offer the provider, BAD_INPUT if it must not send to the address
 */
export async function register(by: SessionViewer, address: PushAddress, app: App): Promise<Place | null> {
  const { userId, sessionId } = by
  const { provider, platform, endpoint } = address
  if (!isOffered(app, provider)) throw new ParleyError('FORBIDDEN', 'This server does not offer notifications of this kind.')
  if (provider === 'WEB_PUSH') await requireService(endpoint, app)
  const { place } = await app.journal.writing(async (tx) => {
    // Concurrent registrations of the same address wait here.
    await tx.$executeRaw`select pg_advisory_xact_lock(${locks.pushEndpoint}, hashtext(${endpoint}))`
    const known = await tx.pushRegistration.findUnique({ where: { sessionId } })
    const isSame = known !== null && (Object.keys(address) as (keyof PushAddress)[]).every((key) => known[key] === address[key])
    if (isSame) return { result: undefined, facts: [] }
    const others = await tx.$queryRaw<{ user_id: bigint; session_id: bigint }[]>`
      delete from push_registration
       where provider = ${provider}::push_provider and platform = ${platform} and endpoint = ${endpoint} and session_id <> ${sessionId}
      returning user_id, session_id`
    const fresh = {
      ...address,
      registeredAt: new Date(app.clock.now()),
      sentAt: null,
      failingSince: null,
      failures: 0,
      retryAt: null,
    }
    await tx.pushRegistration.upsert({ where: { sessionId }, create: { userId, sessionId, ...address }, update: fresh })
    const facts = others.map((other) => pushSubscriptionChanged(userIdOf(other.user_id), sessionIdOf(other.session_id)))
    return { result: undefined, facts: [...facts, pushSubscriptionChanged(userId, sessionId)] }
  })
  return place
}

/** Removes the registration of the viewer's own device. */
export async function unregister({ userId, sessionId }: SessionViewer, app: App): Promise<Place | null> {
  const { place } = await app.journal.writing(async (tx) => {
    const { count } = await tx.pushRegistration.deleteMany({ where: { sessionId } })
    return { result: undefined, facts: count === 0 ? [] : [pushSubscriptionChanged(userId, sessionId)] }
  })
  return place
}

/**
 * Refuses a push service that a device must not name. Each connection checks the address again.
 * @throws ParleyError BAD_INPUT
 */
async function requireService(endpoint: string, { config }: App): Promise<void> {
  const argument = 'input.endpoint'
  const url = new URL(endpoint)
  const { allowsPrivate } = config.push
  const isPlain = url.protocol === 'http:' && allowsPrivate && !config.isProduction
  if (url.protocol !== 'https:' && !isPlain) throw badInput(argument, 'must begin with https:')
  if (url.username !== '' || url.password !== '') throw badInput(argument, 'must not contain a user or password')
  if (allowsPrivate) return
  // A parsed URL leaves out the default port.
  if (url.port !== '') throw badInput(argument, 'must use port 443')
  const host = hostOf(url)
  const answerAt = delay(isIP(host) === 0 ? lookupMs : 0)
  const addresses = await resolveHost(host)
  if (addresses.length > 0 && addresses.every(isPublic)) return
  await answerAt
  throw badInput(argument, 'must be at a host on the public internet that this server can resolve')
}

/** Changes the viewer's notification settings. Omitted fields stay unchanged. @throws ParleyError BAD_INPUT, NOT_FOUND */
export async function changeSettings({ userId }: Viewer, changes: Partial<Wishes>, app: App): Promise<Place | null> {
  const { place } = await app.journal.writing(async (tx) => {
    const present = await tx.$queryRaw<
      unknown[]
    >`select 1 from "user" where id = ${userId} and deleted_at is null for no key update`
    if (present.length === 0) throw notFound('User')
    const row = await tx.pushSettings.findUnique({ where: { userId } })
    const known = row ? wishesOf(row) : defaultWishes
    const wishes = { ...known, ...changes }
    if (wishes.quietHours.length > 0 && wishes.timeZone === null)
      throw badInput('input.timeZone', 'must be set if there are quiet hours')
    if (JSON.stringify(wishes) === JSON.stringify(known)) return { result: undefined, facts: [] }
    const data = { ...wishes, quietHours: wishes.quietHours as Prisma.InputJsonValue }
    await tx.pushSettings.upsert({ where: { userId }, create: { userId, ...data }, update: data })
    return { result: undefined, facts: [pushSettingsChanged(userId)] }
  })
  return place
}

type SettingsRow = Omit<Wishes, 'quietHours'> & { readonly quietHours: unknown }

function wishesOf(row: SettingsRow): Wishes {
  const { level, showsText, timeZone, quietExceptDirect, quietExceptMentions } = row
  const quietHours = row.quietHours as Wishes['quietHours']
  return { level, showsText, timeZone, quietHours, quietExceptDirect, quietExceptMentions }
}

/** Sets the viewer's level for a conversation; null uses the level of the account. @throws ParleyError NOT_FOUND */
export async function setLevel(
  { userId }: Viewer,
  conversationId: ConversationId,
  level: PushLevel | null,
  app: App,
): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    await tx.$executeRaw`select 1 from member where conversation_id = ${conversationId} and user_id = ${userId} for no key update`
    const where = { conversationId_userId: { conversationId, userId } }
    const member = await tx.member.findUnique({ where })
    if (!member) throw notFound('Conversation')
    if (member.pushLevel === level) return { result: undefined, facts: [] }
    await tx.member.update({ where, data: { pushLevel: level } })
    return { result: undefined, facts: [membershipUpdated(conversationId, userId)] }
  })
  return { conversationId, place }
}

const own = statement<Registration>(
  'push_own_registration',
  `select ${registrationColumns} from ${openRegistrations} where r.session_id = $1 for update of r`,
)
const lastTest = statement<{ at: Date }>(
  'push_last_test',
  `select decided_at as at from push_delivery where user_id = $1 and session_id = $2 and kind = 'TEST' order by id desc limit 1`,
)
const insertTest = statement<{ id: number }>(
  'push_insert_test',
  `insert into push_delivery(kind, user_id, registration_id, session_id, outcome) values ('TEST', $1, $2, $3, 'QUEUED') returning id`,
)

/** Sends a test notification to the viewer's own device. @throws ParleyError NOT_FOUND if it is not registered; RATE_LIMITED */
export async function sendTest({ userId, sessionId }: SessionViewer, app: App): Promise<void> {
  await app.store.jobs.transaction(async (tx) => {
    const [registration] = await tx.rows(own, [sessionId])
    if (!registration) throw notFound('Push registration')
    const [last] = await tx.rows(lastTest, [userId, sessionId])
    const waitMs = last ? last.at.getTime() + testPauseMs - app.clock.now() : 0
    if (waitMs > 0)
      throw new ParleyError('RATE_LIMITED', 'A test notification was sent just now. Try again in a few seconds.', {
        retryAfterMs: waitMs,
      })
    const [row] = await tx.rows(insertTest, [userId, registration.id, sessionId])
    if (row) await addJobs(tx, deliverJobs([{ id: row.id, service: serviceOf(app.config, registration) }]))
  })
}
