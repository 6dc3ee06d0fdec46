// What may be read of messages: members of a conversation read it, from the seq on that was decided when they joined (D6).

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findUser } from '../account/access.ts'
import { findConversation, findMembership, ifMember, isStillMember, type MembershipRow } from '../conversation/access.ts'
import { type Capability, can } from '../conversation/capabilities.ts'
import { notFound } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { groupBy, indexBy, type MaybePromise, mapMaybePromise, sharedLoader } from '../graphql/loader.ts'
import { type Around, batchedParts, type Page, type PageRequest, readPage, readPageAround } from '../graphql/page.ts'
import { statement } from '../store/reader.ts'
import { type MessageRow, messageColumns, readMessages } from './row.ts'

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

/** The texts that edits replaced, the oldest first: see `ifSeen`. */
export const readVersions = sharedLoader(async (reader, messageIds: readonly number[]) =>
  groupBy(await reader.rows(versionsByMessages, [messageIds]), (row) => row.messageId),
)

/** A message by id, whoever asks: for what names it already. */
export const findMessage = sharedLoader(async (reader, ids: readonly number[]) =>
  indexBy(await readMessages(reader, ids), (message) => message.id),
)

/** A message of a conversation that the viewer is in, and of the part that the viewer sees; null for any other. */
export async function findOwnMessage(context: Context, messageId: number): Promise<MessageRow | null> {
  const message = await findMessage(context, messageId)
  if (message && message.conversationId === context.wholeHistoryOf) return message
  requireViewer(context)
  return message && isVisible(message, await findMembership(context, message.conversationId)) ? message : null
}

/**
 * What belongs to a message, for those who see the message. It is read first and the permission after it, so that who is removed
 * meanwhile is not shown what changed after (A5).
 */
export function ifSeen<T>(context: Context, messageId: number, found: MaybePromise<T | null>): MaybePromise<T | null> {
  return mapMaybePromise(found, (value) =>
    value === null ? null : mapMaybePromise(findOwnMessage(context, messageId), (message) => message && value),
  )
}

const isVisible = ({ seq }: MessageRow, membership: MembershipRow | null) =>
  membership !== null && seq > membership.visibleFromSeq

const seenBy = statement<{ one: number }>(
  'message_seen_by',
  `select 1 as one from audience where user_id = $1 and conversation_id = $2
     and (case when to_position is null then visible_from_seq < $5
               else from_position <= $3 and to_position >= greatest($3::bigint, $4::bigint) end) limit 1`,
)

/**
 * A message as a viewer may see it whom a fact named it to: without what was written after the viewer left (A5). Whoever is in the
 * conversation and sees the message sees it as it is. For others its text and mentions are empty, and it is neither edited nor
 * deleted.
 * @param position where it was named: of the event, of the change, or of the send that is repeated
 */
export function asHeard(context: Context, message: MessageRow, position: number): MaybePromise<MessageRow> {
  const changedAt = message.changedPosition ?? message.id
  if (changedAt <= (context.visibleRange?.until ?? position)) return message
  const { userId } = requireViewer(context)
  const values = [userId, message.conversationId, position, changedAt, message.seq]
  return context.reader.rows(seenBy, values).then(([found]) => (found ? message : withheld(message)))
}

function withheld(message: MessageRow): MessageRow {
  return { ...message, text: '', mentionedUserIds: [], version: 1, editedAt: null, deletedAt: null }
}

/** The newest message of a conversation that the viewer is in, if the viewer sees it; null for none. */
export function findLastMessage(context: Context, conversationId: number): MaybePromise<MessageRow | null> {
  const find = (membership: MembershipRow) =>
    mapMaybePromise(findNewestMessage(context, conversationId), (message) =>
      message && isVisible(message, membership) ? message : null,
    )
  return ifMember(context, conversationId, find, null)
}

const findNewestMessage = sharedLoader(async (reader, conversationIds: readonly number[]) =>
  indexBy(await reader.rows(lastOnes, [conversationIds]), (message) => message.conversationId),
)

/** A page of what the viewer sees of a conversation's messages, in order of `seq`; an empty one for somebody who is not in it. */
export async function readHistory(
  context: Context,
  conversationId: number,
  args: DefaultConnectionArguments,
): Promise<Page<MessageRow>> {
  const membership = await findMembership(context, conversationId)
  return readPage(args, seqOf, async (request) => {
    if (!membership) return []
    const messages = await readVisible(context, membership, request)
    const isStill = isStillMember(context, membership)
    await findUser.prepare(
      context,
      messages.map(({ senderId }) => senderId),
    )
    return (await isStill) ? messages : []
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
  const page = await readPageAround(message.seq, around, seqOf, (request) => readVisible(context, membership, request))
  if (!(await isStillMember(context, membership))) throw notFound('Message')
  return page
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
