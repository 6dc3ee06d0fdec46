// Reads everything that decisions depend on, in batches: one statement to Postgres, one request to presence.

import { fileKinds } from '../attachment/row.ts'
import type { MessageId, UserId } from '../id.ts'
import { countMentions, countUnread, unreadMax } from '../message/unread.ts'
import type { App } from '../parts.ts'
import { type Reader, statement } from '../store/reader.ts'
import { defaultWishes, type OtherWishes, type PushLevel, type Situation } from './decide.ts'
import { levelOf } from './level.ts'
import type { Shown, ShownContent } from './payload.ts'
import { readWhereabouts } from './presence.ts'

/** A message, and a user who may be notified of it. */
export type Pair = { readonly messageId: MessageId; readonly userId: UserId }
/** Everything that the decision about a pair depends on, and the parts of the message that a notification shows. */
export type Case = Pair & { readonly situation: Situation; readonly shown: Omit<Shown, keyof ShownContent> }

type SituationRow = Pair &
  Omit<Shown, 'messageId' | keyof ShownContent> & { [Wish in keyof OtherWishes as `wish_${Wish}`]: OtherWishes[Wish] | null } & {
    readonly seq: number
    readonly createdAt: Date
    readonly isDeleted: boolean
    readonly isMentioned: boolean
    readonly hears: boolean
    readonly isBlocked: boolean
    readonly readSeq: number
    readonly mutedUntil: Date | null
    readonly level: PushLevel
  }

const cases = statement<SituationRow>(
  'push_cases',
  `select p.user_id as "userId", m.id as "messageId", m.conversation_id as "conversationId", m.seq, m.created_at as "createdAt",
     m.deleted_at is not null as "isDeleted", c.kind = 'DIRECT' as "isDirect",
     c.title as "conversationTitle", s.display_name as "senderName", p.user_id = any(m.mentioned_user_ids) as "isMentioned",
     coalesce(r.seq, 0) as "readSeq", b.muted_until as "mutedUntil", ${levelOf('b', 'w', 'c')} as level,
     b.user_id is not null and exists (
       select 1 from current_audience a where a.conversation_id = m.conversation_id and a.user_id = p.user_id
          and a.visible_from_seq < m.seq) as hears,
     exists (select 1 from block k where k.blocker_id = p.user_id and k.blocked_id = m.sender_id) as "isBlocked",
     w.shows_text as "wish_showsText", w.time_zone as "wish_timeZone", w.quiet_hours as "wish_quietHours",
     w.quiet_except_direct as "wish_quietExceptDirect", w.quiet_except_mentions as "wish_quietExceptMentions"
   from unnest($1::bigint[], $2::bigint[]) as p(message_id, user_id)
   join message m on m.id = p.message_id
   join conversation c on c.id = m.conversation_id
   left join "user" s on s.id = m.sender_id
   left join member b on b.conversation_id = m.conversation_id and b.user_id = p.user_id
   left join read_marker r on r.conversation_id = m.conversation_id and r.user_id = p.user_id
   left join push_settings w on w.user_id = p.user_id`,
)

/** Reads the current situations of these pairs. Omits pairs whose message does not exist. */
export async function readCases(app: App, pairs: readonly Pair[]): Promise<Case[]> {
  if (pairs.length === 0) return []
  const columns = [pairs.map(({ messageId }) => messageId), pairs.map(({ userId }) => userId)]
  const [rows, whereabouts] = await Promise.all([
    app.store.jobs.reader.rows(cases, columns),
    readWhereabouts(app, [...new Set(pairs.map(({ userId }) => userId))]),
  ])
  return rows.map((row) => {
    const { userId, messageId } = row
    const { devices = [], isDoNotDisturb = false } = whereabouts.get(userId) ?? {}
    return { userId, messageId, shown: row, situation: situationOf(row, { devices, isDoNotDisturb }) }
  })
}

const contents = statement<{ id: MessageId; text: string; kinds: number[] }>(
  'push_contents',
  `select m.id, m.text, array(select a.kind from message_attachment a
             where m.epoch is null and a.attachment_id = any(m.attachment_ids) order by a.place) as kinds
     from message m where m.id = any($1::bigint[]) and m.deleted_at is null`,
)

/** Reads the full texts of messages, which are shortened only after they are put on one line, and what they have attached. */
export async function readContents(
  reader: Reader,
  messageIds: readonly MessageId[],
): Promise<ReadonlyMap<MessageId, ShownContent>> {
  if (messageIds.length === 0) return new Map()
  const rows = await reader.rows(contents, [[...new Set(messageIds)]])
  return new Map(rows.map(({ id, text, kinds }) => [id, { text, attached: kinds.map((kind) => fileKinds[kind - 1] ?? 'FILE') }]))
}

function situationOf(row: SituationRow, where: Pick<Situation, 'devices' | 'isDoNotDisturb'>): Situation {
  const { seq, createdAt, isDeleted, isDirect, isMentioned, hears, isBlocked, readSeq, mutedUntil, level } = row
  const wishes: OtherWishes = {
    showsText: row.wish_showsText ?? defaultWishes.showsText,
    timeZone: row.wish_timeZone,
    quietHours: row.wish_quietHours ?? defaultWishes.quietHours,
    quietExceptDirect: row.wish_quietExceptDirect ?? defaultWishes.quietExceptDirect,
    quietExceptMentions: row.wish_quietExceptMentions ?? defaultWishes.quietExceptMentions,
  }
  return {
    message: { seq, createdAt, isDeleted },
    isDirect,
    isMentioned,
    hears,
    isBlocked,
    readSeq,
    mutedUntil,
    level,
    wishes,
    ...where,
  }
}

const scope = {
  userId: 'u.id',
  conversationId: 'b.conversation_id',
  readSeq: 'coalesce(r.seq, 0)',
  blockedIds: 'k.ids',
  hides: 'a.hides_messages',
}
/** The badges of users who have unread messages: see docs/push.md. */
const badges = statement<{ userId: UserId; badge: number }>(
  'push_badges',
  `select u.id as "userId", coalesce(sum(n.unread), 0)::int as badge
     from unnest($1::bigint[]) as u(id)
    cross join lateral (select array(select blocked_id from block where blocker_id = u.id) as ids) k
     left join push_settings w on w.user_id = u.id
     join member b on b.user_id = u.id and (b.muted_until is null or b.muted_until <= $2)
     join conversation c on c.id = b.conversation_id
     join audience a on a.user_id = u.id and a.conversation_id = b.conversation_id and a.to_position is null
     join conversation_head h on h.conversation_id = b.conversation_id
     left join read_marker r on r.conversation_id = b.conversation_id and r.user_id = u.id
    cross join lateral (select case ${levelOf('b', 'w', 'c')}
      when 'ALL' then ${countUnread(scope, unreadMax)} when 'MENTIONS' then ${countMentions(scope)} else 0 end as unread) n
    where h.last_seq > coalesce(r.seq, 0)
    group by u.id`,
)

/** Counts the unread messages that each user wants to be notified of now. Omits users without any. */
export async function readBadges(reader: Reader, userIds: readonly UserId[], now: Date): Promise<ReadonlyMap<UserId, number>> {
  const rows = await reader.rows(badges, [[...new Set(userIds)], now])
  return new Map(rows.map(({ userId, badge }) => [userId, badge]))
}
