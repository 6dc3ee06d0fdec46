// What may be read of pins: members see those of the messages that they see.

import { findMembership } from '../conversation/access.ts'
import type { Context } from '../graphql/context.ts'
import { batchedForAll, by } from '../graphql/loader.ts'
import { type MessageRow, messageColumns } from '../journal/tables.ts'
import { statement } from '../store/reader.ts'

/** That a message is pinned. */
export type PinRow = { readonly messageId: number; readonly pinnedBy: number; readonly pinnedAt: Date }

const pinsByMessages = statement<PinRow>(
  'pins_by_messages',
  `select p.message_id as "messageId", p.pinned_by as "pinnedBy", p.pinned_at as "pinnedAt"
     from message m join pin p on p.conversation_id = m.conversation_id and p.message_id = m.id
    where m.id = any($1::bigint[])`,
)
const pinnedMessages = statement<MessageRow>(
  'pinned_messages',
  `select ${messageColumns} from pin p join message m on m.id = p.message_id
    where p.conversation_id = $1 and m.seq > $2 order by p.pinned_at desc, m.id desc`,
)

/** The pin of a message; null where it is not pinned. The caller has checked that the viewer sees the message. */
export const findPin = batchedForAll(async (reader, messageIds: readonly number[]) =>
  by(await reader.rows(pinsByMessages, [messageIds]), (pin) => pin.messageId),
)

/** The pinned messages that the viewer sees, the one pinned last first; none for somebody who is not in the conversation. */
export async function readPinnedMessages(context: Context, conversationId: number): Promise<readonly MessageRow[]> {
  const membership = await findMembership(context, conversationId)
  return membership ? context.reader.rows(pinnedMessages, [conversationId, membership.visibleFromSeq]) : []
}
