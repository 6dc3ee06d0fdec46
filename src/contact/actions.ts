// Contact actions: requests, blocks, the message policy. Each action locks both users first (reach.ts), so the two may act at
// the same time on different nodes. All actions are idempotent: repeating one changes nothing.

import { limited } from '../bus/counters.ts'
import { notFound, ParleyError } from '../errors.ts'
import { type ConversationId, conversationIdOf, type UserId } from '../id.ts'
import type { NewFact, Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import type { MessagePolicy } from './access.ts'
import { blockChanged, contactChangedForBoth, conversationClosed, conversationReopened, messagePolicyChanged } from './events.ts'
import { lockPair, pairOf, requireNoBlock } from './reach.ts'
import { reaching } from './strangers.ts'

/** A committed action on another user. `place` is that of its last fact; null if nothing changed. */
export type DoneAbout = { readonly userId: UserId; readonly place: Place | null }

/** The most pending requests that a user can have sent, and the most users that one can block. */
export const contactLimits = { requests: 500, blocks: 5_000 } as const

/**
 * Sends a contact request. Accepts the other user's request instead if there is one.
 * @throws ParleyError NOT_FOUND, BAD_INPUT for the viewer's own ID, FORBIDDEN if one has blocked the other, LIMIT_EXCEEDED,
 *   RATE_LIMITED (`reaching`)
 */
export function requestContact(by: Viewer, userId: UserId, app: App): Promise<DoneAbout> {
  const request = async (tx: Transaction) => {
    await requireNoBlock(tx, by, userId)
    const pair = pairOf(by.userId, userId)
    const known = await tx.contact.findUnique({ where: { lowId_highId: pair } })
    if (known?.acceptedAt || Number(known?.requestedBy) === by.userId) return []
    if (known) return accept(tx, by, userId, app)
    const open = await tx.contact.count({ where: { requestedBy: by.userId, acceptedAt: null } })
    requireRoom(open, contactLimits.requests, 'pending requests')
    await tx.contact.create({ data: { ...pair, requestedBy: by.userId } })
    return contactChangedForBoth(by.userId, userId)
  }
  return reaching(by, [userId], app, () => changing(by, userId, app, request))
}

/** Accepts a contact request. @throws ParleyError NOT_FOUND if there is none, BAD_INPUT for the viewer's own ID */
export function acceptContact(by: Viewer, userId: UserId, app: App): Promise<DoneAbout> {
  return changing(by, userId, app, async (tx) => {
    const known = await tx.contact.findUnique({ where: { lowId_highId: pairOf(by.userId, userId) } })
    if (known?.acceptedAt) return []
    if (Number(known?.requestedBy) !== userId) throw notFound('Contact request')
    return accept(tx, by, userId, app)
  })
}

/** Declines a contact request. Does nothing if there is none, or if it is accepted. @throws ParleyError NOT_FOUND, BAD_INPUT */
export function declineContact(by: Viewer, userId: UserId, app: App): Promise<DoneAbout> {
  return changing(by, userId, app, async (tx) => {
    const where = { ...pairOf(by.userId, userId), requestedBy: userId, acceptedAt: null }
    const { count } = await tx.contact.deleteMany({ where })
    return count === 0 ? [] : contactChangedForBoth(by.userId, userId)
  })
}

/** Removes a contact or withdraws the viewer's request. @throws ParleyError NOT_FOUND, BAD_INPUT for the viewer's own ID */
export function removeContact(by: Viewer, userId: UserId, app: App): Promise<DoneAbout> {
  return changing(by, userId, app, async (tx) => {
    const isContactOrOwn = { OR: [{ acceptedAt: { not: null } }, { requestedBy: by.userId }] }
    const { count } = await tx.contact.deleteMany({ where: { ...pairOf(by.userId, userId), ...isContactOrOwn } })
    return count === 0 ? [] : contactChangedForBoth(by.userId, userId)
  })
}

/**
 * Blocks a user: removes the contact and any request between the two, and closes their direct conversations for both, at the
 * positions of its facts (D6).
 * @throws ParleyError NOT_FOUND, BAD_INPUT for the viewer's own ID, LIMIT_EXCEEDED
 */
export function blockUser(by: Viewer, userId: UserId, app: App): Promise<DoneAbout> {
  return changing(by, userId, app, async (tx) => {
    const data = { blockerId: by.userId, blockedId: userId }
    if ((await tx.block.count({ where: data })) > 0) return []
    requireRoom(await tx.block.count({ where: { blockerId: by.userId } }), contactLimits.blocks, 'blocked users')
    await tx.block.create({ data })
    const { count } = await tx.contact.deleteMany({ where: pairOf(by.userId, userId) })
    const directs = await findDirectsUnlessBlocked(tx, by, userId)
    return [
      ...(count === 0 ? [] : contactChangedForBoth(by.userId, userId)),
      ...directs.flatMap((id) => conversationClosed(id, [userId, by.userId])),
      blockChanged(by.userId, userId),
    ]
  })
}

/**
 * Removes a block. Reopens the direct conversations unless the other user has blocked the viewer too.
 * @throws ParleyError NOT_FOUND for an unknown user, BAD_INPUT for the viewer's own ID, RATE_LIMITED
 */
export function unblockUser(by: Viewer, userId: UserId, app: App): Promise<DoneAbout> {
  // Blocking is not limited, because it protects. To block the same user again, one must unblock them first.
  const counted = {
    limit: { name: 'unblocks', most: app.config.attempts.unblocksMax, periodS: 3_600 },
    key: String(by.userId),
    refusal: 'You are unblocking too often. Try again later.',
    // Without a block, nothing changes.
    isCounted: (outcome: unknown) => (outcome as Partial<DoneAbout>).place != null,
  }
  const unblock = async (tx: Transaction) => {
    const { count } = await tx.block.deleteMany({ where: { blockerId: by.userId, blockedId: userId } })
    if (count === 0) return []
    const directs = await findDirectsUnlessBlocked(tx, by, userId)
    return [...directs.flatMap((id) => conversationReopened(id, [by.userId, userId])), blockChanged(by.userId, userId)]
  }
  return limited(app.counters, counted, () => changing(by, userId, app, unblock))
}

/** Sets who may start a direct conversation with the viewer or add them to a group. @throws ParleyError NOT_FOUND if deleted */
export async function setMessagePolicy(by: Viewer, messagePolicy: MessagePolicy, app: App): Promise<Place | null> {
  const { place } = await app.journal.writing(async (tx) => {
    const { count } = await tx.user.updateMany({
      where: { id: by.userId, deletedAt: null, messagePolicy: { not: messagePolicy } },
      data: { messagePolicy },
    })
    return { result: undefined, facts: count === 0 ? [] : [messagePolicyChanged(by.userId)] }
  })
  return place
}

/** Runs a rare write about the viewer and another user, with both locked. */
async function changing(
  by: Viewer,
  userId: UserId,
  app: App,
  change: (tx: Transaction) => Promise<readonly NewFact[]>,
): Promise<DoneAbout> {
  const { place } = await app.journal.writing(async (tx) => {
    await lockPair(tx, by, userId)
    return { result: undefined, facts: await change(tx) }
  })
  return { userId, place }
}

async function accept(tx: Transaction, by: Viewer, userId: UserId, app: App): Promise<NewFact[]> {
  const acceptedAt = new Date(app.clock.now())
  await tx.contact.update({ where: { lowId_highId: pairOf(by.userId, userId) }, data: { acceptedAt } })
  return contactChangedForBoth(by.userId, userId)
}

/** The direct conversations of the two, of which one may be encrypted; none if the other user's block keeps them closed anyway. */
async function findDirectsUnlessBlocked(tx: Transaction, by: Viewer, userId: UserId): Promise<ConversationId[]> {
  if ((await tx.block.count({ where: { blockerId: userId, blockedId: by.userId } })) > 0) return []
  const { lowId: directLow, highId: directHigh } = pairOf(by.userId, userId)
  const directs = await tx.conversation.findMany({ where: { directLow, directHigh }, orderBy: { id: 'asc' } })
  return directs.map(({ id }) => conversationIdOf(id))
}

function requireRoom(count: number, max: number, what: string): void {
  if (count >= max) throw new ParleyError('LIMIT_EXCEEDED', `You can have at most ${max} ${what}.`, { argument: 'input.userId' })
}
