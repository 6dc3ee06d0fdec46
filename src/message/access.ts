// What may be read of messages: members of a conversation read it, from the seq on that was decided when they joined (D6).

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findUser } from '../account/access.ts'
import { findConversation, findMembership, type MembershipRow } from '../conversation/access.ts'
import { type Capability, can } from '../conversation/capabilities.ts'
import { notFound } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { andThen, batchedForAll, by, grouped, type MaybePromise } from '../graphql/loader.ts'
import { type Around, batchedParts, type Page, type PageRequest, readPage, readPageAround } from '../graphql/page.ts'
import { type MessageRow, messageColumns, readMessages } from '../journal/tables.ts'
import { statement } from '../store/reader.ts'

const readParts = batchedParts<MessageRow>({
  name: 'messages',
  table: 'message',
  columns: messageColumns,
  of: 'conversation_id',
  key: 'seq',
})
const lastOnes = statement<MessageRow>(
  'last_messages',
  `select ${messageColumns} from conversation_head h join message m on m.conversation_id = h.conversation_id and m.seq = h.last_seq
    where h.conversation_id = any($1::bigint[])`,
)

const beyond = 2_147_483_647

/** A text that an edit replaced. */
export type VersionRow = { readonly messageId: number; readonly version: number; readonly text: string; readonly writtenAt: Date }

const versionsByMessages = statement<VersionRow>(
  'message_versions',
  `select message_id as "messageId", version, text, written_at as "writtenAt" from message_version
    where message_id = any($1::bigint[]) order by message_id, version`,
)

/** The texts that edits replaced, the oldest first. For members; the caller has checked. */
export const readVersions = batchedForAll(async (reader, messageIds: readonly number[]) =>
  grouped(await reader.rows(versionsByMessages, [messageIds]), (row) => row.messageId),
)

/** A message by id, whoever asks: for what names it already. */
export const findMessage = batchedForAll(async (reader, ids: readonly number[]) =>
  by(await readMessages(reader, ids), (message) => message.id),
)

/** A message of a conversation that the viewer is in, and of the part that the viewer sees; null for any other. */
export async function findOwnMessage(context: Context, messageId: number): Promise<MessageRow | null> {
  const message = await findMessage(context, messageId)
  if (message && message.conversationId === context.wholeHistoryOf) return message
  requireViewer(context)
  return message && isVisible(message, await findMembership(context, message.conversationId)) ? message : null
}

const isVisible = ({ seq }: MessageRow, membership: MembershipRow | null) =>
  membership !== null && seq > membership.visibleFromSeq

/** The newest message of a conversation that the viewer is in, if the viewer sees it; null for none. */
export function findLastMessage(context: Context, conversationId: number): MaybePromise<MessageRow | null> {
  return andThen(findMembership(context, conversationId), (membership) =>
    andThen(findNewestMessage(context, conversationId), (message) =>
      message && isVisible(message, membership) ? message : null,
    ),
  )
}

const findNewestMessage = batchedForAll(async (reader, conversationIds: readonly number[]) =>
  by(await reader.rows(lastOnes, [conversationIds]), (message) => message.conversationId),
)

/** A page of what the viewer sees of a conversation's messages, in order of `seq`; an empty one for somebody who is not in it. */
export async function readHistory(
  context: Context,
  conversationId: number,
  args: DefaultConnectionArguments,
): Promise<Page<MessageRow>> {
  const membership = await findMembership(context, conversationId)
  return readPage(args, seqOf, async (request) => {
    const messages = membership ? await readVisible(context, membership, request) : []
    await findUser.prepare(
      context,
      messages.map(({ senderId }) => senderId),
    )
    return messages
  })
}

/**
 * A page of a conversation's messages around one of them, in order of `seq`.
 * @throws ParleyError NOT_FOUND where the message is not in this conversation, or the viewer is not.
 */
export async function readHistoryAround(
  context: Context,
  conversationId: number,
  messageId: number,
  around: Around,
): Promise<Page<MessageRow>> {
  const [message, membership] = await Promise.all([findOwnMessage(context, messageId), findMembership(context, conversationId)])
  if (message?.conversationId !== conversationId || !membership) throw notFound('Message')
  return readPageAround(message.seq, around, seqOf, (request) => readVisible(context, membership, request))
}

const seqOf = (message: MessageRow) => message.seq

function readVisible(context: Context, membership: MembershipRow, { after, before, from, limit }: PageRequest) {
  return readParts(context, {
    of: membership.conversationId,
    after: Math.min(Math.max(after ?? 0, membership.visibleFromSeq), beyond),
    before: Math.min(before ?? beyond, beyond),
    from,
    limit,
  })
}

/** Whether the viewer's role allows something in the conversation that a message stands in. */
export async function may(context: Context, capability: Capability, messageId: number): Promise<boolean> {
  const message = await findMessage(context, messageId)
  if (!message) return false
  const [membership, conversation] = await Promise.all([
    findMembership(context, message.conversationId),
    findConversation(context, message.conversationId),
  ])
  return membership !== null && conversation !== null && can(capability, conversation.kind, membership.role)
}
