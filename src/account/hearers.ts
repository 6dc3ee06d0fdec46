// Who hears of a change to a user.

import { notFound } from '../errors.ts'
import { type AttachmentId, attachmentIdOf, type UserId, userIdOf } from '../id.ts'
import type { Transaction } from '../store/store.ts'

/**
 * The most hearers that receive a fact when a user changes, closest first. The others see the change when they next read the
 * user. The limit bounds the cost of one small change under the journal's lock: one fact for each hearer.
 */
export const hearersMax = 500

/** What a user's profile says. */
type LockedUser = {
  readonly username: string
  readonly displayName: string
  readonly bio: string
  readonly avatarId: AttachmentId | null
  /** Custom data, as JSON text. */
  readonly data: string | null
}

/** Locks a user until COMMIT. @throws ParleyError NOT_FOUND if the account was deleted */
export async function lockUser(tx: Transaction, userId: UserId): Promise<LockedUser> {
  const [user] = await tx.$queryRaw<(Omit<LockedUser, 'avatarId'> & { avatarId: bigint | null })[]>`
    select username, display_name as "displayName", bio, avatar_id as "avatarId", data::text as data from "user"
     where id = ${userId} and deleted_at is null for no key update`
  if (!user) throw notFound('User')
  return { ...user, avatarId: user.avatarId === null ? null : attachmentIdOf(user.avatarId) }
}

/**
 * The hearers of a user: the user, then contacts and partners in direct conversations, then members of the same groups; at most
 * `hearersMax`. Omits users with a block between them and this user.
 */
export async function findHearers(tx: Transaction, userId: UserId): Promise<UserId[]> {
  const rows = await tx.$queryRaw<{ id: bigint }[]>`
    select near.id from (
      select ${userId}::bigint as id, 0 as distance
      union all
      select case when low_id = ${userId} then high_id else low_id end, 1
        from contact where (low_id = ${userId} or high_id = ${userId}) and accepted_at is not null
      union all
      select o.user_id, case c.kind when 'DIRECT' then 1 else 2 end
        from member m
        join conversation c on c.id = m.conversation_id
        join member o on o.conversation_id = c.id
       where m.user_id = ${userId}) near
      join "user" u on u.id = near.id and u.deleted_at is null
     where not exists (select 1 from block_between b where b.user_id = ${userId} and b.other_id = near.id)
     group by near.id order by min(near.distance), near.id limit ${hearersMax}`
  return rows.map(({ id }) => userIdOf(id))
}
