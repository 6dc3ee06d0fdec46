// What one does with conversations of either kind. What changes a group is in src/group.

import type { App } from '../app.ts'
import { badInput, ParleyError } from '../errors.ts'
import type { Place } from '../journal/fact.ts'
import type { Prisma } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import { joining } from './events.ts'

/** A committed action on a conversation. `place` is that of its last fact; null where nothing had to change. */
export type Done = { readonly conversationId: number; readonly place: Place | null }

/**
 * Starts a direct conversation, or finds the one that the pair has.
 * @throws ParleyError NOT_FOUND for an unknown user, BAD_INPUT for oneself
 */
export async function startDirectConversation(by: Viewer, userId: number, app: App): Promise<Done> {
  if (userId === by.userId) throw badInput('input.userId', 'is yourself')
  const [directLow, directHigh] = userId < by.userId ? [userId, by.userId] : [by.userId, userId]
  const { result, place } = await app.journal.writing(async (tx) => {
    await requireUsers(tx, [userId], 'input.userId')
    // Whoever comes second waits here for the first, and then finds that conversation.
    const created = await tx.$queryRaw<{ id: bigint }[]>`
      insert into conversation(kind, direct_low, direct_high) values ('DIRECT', ${directLow}, ${directHigh})
      on conflict (direct_low, direct_high) do nothing returning id`
    if (!created[0]) {
      const known = await tx.conversation.findUniqueOrThrow({ where: { directLow_directHigh: { directLow, directHigh } } })
      return { result: Number(known.id), facts: [] }
    }
    const conversationId = Number(created[0].id)
    const pair = [by.userId, userId]
    await tx.member.createMany({ data: pair.map((id) => ({ conversationId, userId: id })) })
    return { result: conversationId, facts: joining(conversationId, pair, by.userId, 'ALL') }
  })
  return { conversationId: result, place }
}

/** @throws ParleyError NOT_FOUND naming the argument, unless all of these are users. */
export async function requireUsers(tx: Prisma.TransactionClient, userIds: readonly number[], argument: string): Promise<void> {
  const found = await tx.user.count({ where: { id: { in: [...userIds] } } })
  if (found !== userIds.length) throw new ParleyError('NOT_FOUND', 'User not found', { argument })
}
