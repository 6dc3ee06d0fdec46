// What may be read of messages: members of a conversation read it, from the seq on that was decided when they joined (D6).

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findMembership, type MembershipRow } from '../conversation/access.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { batched, by } from '../graphql/loader.ts'
import { type Page, readPage } from '../graphql/page.ts'
import { type MessageRow, messageColumns, readMessages } from '../journal/tables.ts'
import { statement } from '../store/reader.ts'

const forward = statement<MessageRow>(
  'messages_forward',
  `select ${messageColumns} from message m where m.conversation_id = $1 and m.seq > $2 and m.seq < $3 order by m.seq limit $4`,
)
const backward = statement<MessageRow>(
  'messages_backward',
  `select ${messageColumns} from message m where m.conversation_id = $1 and m.seq > $2 and m.seq < $3 order by m.seq desc limit $4`,
)
const lastOnes = statement<MessageRow>(
  'last_messages',
  `select ${messageColumns} from conversation_head h join message m on m.conversation_id = h.conversation_id and m.seq = h.last_seq
    where h.conversation_id = any($1::bigint[])`,
)

const beyond = 2_147_483_647

/** A message by id, whoever asks: for what names it already. */
export const findMessage = batched(async ({ reader }, ids: readonly number[]) =>
  by(await readMessages(reader, ids), (message) => message.id),
)

/** A message of a conversation that the viewer is in, and of the part that the viewer sees; null for any other. */
export async function findOwnMessage(context: Context, messageId: number): Promise<MessageRow | null> {
  requireViewer(context)
  const message = await findMessage(context, messageId)
  return message && isVisible(message, await findMembership(context, message.conversationId)) ? message : null
}

const isVisible = ({ seq }: MessageRow, membership: MembershipRow | null) =>
  membership !== null && seq > membership.visibleFromSeq

/** The newest message of a conversation that the viewer is in, if the viewer sees it; null for none. */
export async function findLastMessage(context: Context, conversationId: number): Promise<MessageRow | null> {
  const [membership, message] = await Promise.all([
    findMembership(context, conversationId),
    findNewestMessage(context, conversationId),
  ])
  return message && isVisible(message, membership) ? message : null
}

const findNewestMessage = batched(async ({ reader }, conversationIds: readonly number[]) =>
  by(await reader.rows(lastOnes, [conversationIds]), (message) => message.conversationId),
)

/** A page of what the viewer sees of a conversation's messages, in order of `seq`; an empty one for somebody who is not in it. */
export async function readHistory(
  context: Context,
  conversationId: number,
  args: DefaultConnectionArguments,
): Promise<Page<MessageRow>> {
  const membership = await findMembership(context, conversationId)
  return readPage(
    args,
    (message) => message.seq,
    async ({ after, before, from, limit }) =>
      membership
        ? context.reader.rows(from === 'START' ? forward : backward, [
            conversationId,
            Math.min(Math.max(after ?? 0, membership.visibleFromSeq), beyond),
            Math.min(before ?? beyond, beyond),
            limit,
          ])
        : [],
  )
}
