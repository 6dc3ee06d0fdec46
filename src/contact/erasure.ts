// What contacts and blocks erase when an account is deleted.

import type { Erasure } from '../account/erasure.ts'
import { conversationIdOf, type UserId, userIdOf } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { Transaction } from '../store/store.ts'
import { blockChanged, contactChanged, conversationClosed } from './events.ts'

/** Removes the contacts and blocks of a user, and closes the user's direct conversations. */
export const contactErasure: Erasure = { erase: eraseContacts }

async function eraseContacts(tx: Transaction, userId: UserId): Promise<NewFact[]> {
  const closed = await closeDirectConversations(tx, userId)
  const contacts = await tx.$queryRaw<{ id: bigint }[]>`
    delete from contact where low_id = ${userId} or high_id = ${userId}
    returning case when low_id = ${userId} then high_id else low_id end as id`
  const blockers = await tx.$queryRaw<{ id: bigint }[]>`
    delete from block where blocker_id = ${userId} or blocked_id = ${userId} returning nullif(blocker_id, ${userId}) as id`
  return [
    ...closed,
    ...contacts.map(({ id }) => contactChanged(userIdOf(id), userId)),
    ...blockers.flatMap(({ id }) => (id === null ? [] : [blockChanged(userIdOf(id), userId)])),
  ]
}

/** The facts that close a user's direct conversations, except those that a block has already closed. */
async function closeDirectConversations(tx: Transaction, userId: UserId): Promise<NewFact[]> {
  const rows = await tx.$queryRaw<{ id: bigint; other_id: bigint }[]>`
    select c.id, o.user_id as other_id
      from member m
      join conversation c on c.id = m.conversation_id and c.kind = 'DIRECT'
      join member o on o.conversation_id = c.id and o.user_id <> ${userId}
      join "user" u on u.id = o.user_id and u.deleted_at is null
     where m.user_id = ${userId}
       and not exists (select 1 from block_between b where b.user_id = m.user_id and b.other_id = o.user_id)`
  return rows.flatMap(({ id, other_id }) => conversationClosed(conversationIdOf(id), [userId, userIdOf(other_id)]))
}
