// Reads pins. Members see the pins of the messages that they see.

import { ifMember, type MembershipRow } from '../conversation/access.ts'
import type { Context } from '../graphql/context.ts'
import { groupBy, indexBy, type MaybePromise, mapMaybePromise, sharedLoader } from '../graphql/loader.ts'
import type { ConversationId, MessageId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'
import { withoutHidden } from './hidden-access.ts'
import { type MessageRow, messageColumns } from './row.ts'

/** The pin of a message. */
export type PinRow = { readonly messageId: MessageId; readonly pinnedBy: UserId; readonly pinnedAt: Date }

const pinsByMessages = statement<PinRow>(
  'pins_by_messages',
  `select p.message_id as "messageId", p.pinned_by as "pinnedBy", p.pinned_at as "pinnedAt"
     from message m join pin p on p.conversation_id = m.conversation_id and p.message_id = m.id
    where m.id = any($1::bigint[])`,
)
const pinnedMessages = statement<MessageRow & { readonly part: number }>(
  'pinned_messages',
  `select c.n as part, ${messageColumns} from unnest($1::bigint[], $2::int[]) with ordinality as c(id, visible_from_seq, n)
     join pin p on p.conversation_id = c.id join message m on m.id = p.message_id
    where m.seq > c.visible_from_seq order by p.pinned_at desc, m.id desc`,
)
const findVisible = sharedLoader(async (reader, keys: readonly `${ConversationId}:${number}`[]) => {
  const [ids, seqs] = [0, 1].map((part) => keys.map((key) => Number(key.split(':')[part])))
  // Several members may read the pins of one conversation, each with a different visible part.
  const pinned = groupBy(await reader.rows(pinnedMessages, [ids, seqs]), ({ part }) => part)
  return new Map(keys.map((key, i) => [key, pinned.get(i + 1) ?? []]))
})

/** Finds the pin of a message; null if it is not pinned. The caller has checked that the viewer sees the message. */
export const findPin = sharedLoader(async (reader, messageIds: readonly MessageId[]) =>
  indexBy(await reader.rows(pinsByMessages, [messageIds]), (pin) => pin.messageId),
)

/** Reads the pinned messages that the viewer sees, most recently pinned first. Empty if the viewer is not a member. */
export function readPinnedMessages(context: Context, conversationId: ConversationId): MaybePromise<readonly MessageRow[]> {
  const find = ({ visibleFromSeq, hidesMessages }: MembershipRow) =>
    mapMaybePromise(findVisible(context, `${conversationId}:${visibleFromSeq}`), (pinned) =>
      pinned && hidesMessages ? withoutHidden(context, conversationId, pinned) : pinned,
    )
  return ifMember<readonly MessageRow[]>(context, conversationId, find, [])
}
