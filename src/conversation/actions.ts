// Actions on conversations of either kind. Actions on groups are in group-actions.ts.

import { tenantOf } from '../account/tenant.ts'
import { lockPair, pairOf, requireReach } from '../contact/reach.ts'
import { reaching } from '../contact/strangers.ts'
import { type ConversationId, conversationIdOf, type UserId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import { type Encryption, joining, starting } from './events.ts'

/** A committed action on a conversation. `place` is that of its last fact; null if nothing changed. */
export type Done = { readonly conversationId: ConversationId; readonly place: Place | null }

/**
 * Starts a direct conversation, or finds the existing one of the pair; of the two that they may have, one is encrypted.
 * @throws ParleyError NOT_FOUND for an unknown user, BAD_INPUT for the viewer, FORBIDDEN if there is none yet
 *   and the viewer cannot reach the user (`requireReach`), RATE_LIMITED (`reaching`)
 */
export async function startDirectConversation(by: Viewer, userId: UserId, encryption: Encryption, app: App): Promise<Done> {
  const { lowId: directLow, highId: directHigh } = pairOf(by.userId, userId)
  const start = async (tx: Transaction) => {
    // The second of two concurrent requests waits here for the first, and then finds its conversation.
    await lockPair(tx, by, userId)
    const pairKey = { directLow, directHigh, encryption }
    const known = await tx.conversation.findUnique({ where: { directLow_directHigh_encryption: pairKey } })
    if (known) return { result: conversationIdOf(known.id), facts: [] }
    await requireReach(tx, by, userId)
    const created = await tx.conversation.create({
      data: { kind: 'DIRECT', ...pairKey, tenant: await tenantOf(tx, by.userId) },
    })
    const conversationId = conversationIdOf(created.id)
    const pair = [by.userId, userId]
    await tx.member.createMany({ data: pair.map((id) => ({ conversationId, userId: id })) })
    return { result: conversationId, facts: starting(encryption, joining(conversationId, pair, by.userId, 'ALL')) }
  }
  const { result, place } = await reaching(by, [userId], app, () => app.journal.writing(start))
  return { conversationId: result, place }
}
