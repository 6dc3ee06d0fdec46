// Reads messages. Members of a conversation can read its messages after the seq that was decided when they joined (D6).

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findUser } from '../account/access.ts'
import { findConversation, findMembership, ifMember, isStillMember, type MembershipRow } from '../conversation/access.ts'
import { type Capability, can } from '../conversation/capabilities.ts'
import { notFound } from '../errors.ts'
import { type Context, isBackend, requireViewer } from '../graphql/context.ts'
import { groupBy, indexBy, type MaybePromise, mapMaybePromise, sharedLoader } from '../graphql/loader.ts'
import { type Around, batchedParts, type Page, type PageRequest, readPage, readPageAround } from '../graphql/page.ts'
import type { ConversationId, MessageId, Position } from '../id.ts'
import { statement } from '../store/reader.ts'
import { isNotHidden } from './hidden-access.ts'
import { type MessageRow, messageColumns, readMessages } from './row.ts'

const messageLists = { table: 'message', columns: messageColumns, of: 'conversation_id', key: 'seq' }
const readParts = batchedParts<MessageRow>({ ...messageLists, name: 'messages' })
const readShownParts = batchedParts<MessageRow>({ ...messageLists, name: 'shown_messages', shownTo: isNotHidden('message') })
const lastOnes = statement<MessageRow>(
  'last_messages',
  `select ${messageColumns} from conversation_head h join message m on m.conversation_id = h.conversation_id and m.seq = h.last_seq
    where h.conversation_id = any($1::bigint[])`,
)

const beyond = 2_147_483_647

/** An earlier text of a message, which an edit replaced. */
export type VersionRow = {
  readonly messageId: MessageId
  readonly version: number
  readonly text: string
  readonly writtenAt: Date
}

const versionsByMessages = statement<VersionRow>(
  'message_versions',
  `select message_id as "messageId", version, text, written_at as "writtenAt" from message_version
    where message_id = any($1::bigint[]) order by message_id, version`,
)

/** Reads the earlier texts of messages, oldest first, without a permission check: see `ifSeen`. */
export const readVersions = sharedLoader(async (reader, messageIds: readonly MessageId[]) =>
  groupBy(await reader.rows(versionsByMessages, [messageIds]), (row) => row.messageId),
)

/** Finds a message by id without a permission check: something that the viewer sees must already name it. */
export const findMessage = sharedLoader(async (reader, ids: readonly MessageId[]) =>
  indexBy(await readMessages(reader, ids), (message) => message.id),
)

/** Finds a message in the part of a conversation that the viewer sees; null for any other. */
export async function findOwnMessage(context: Context, messageId: MessageId): Promise<MessageRow | null> {
  const message = await findMessage(context, messageId)
  if (message && message.conversationId === context.wholeHistoryOf) return message
  // What hands messages to a key that acts for itself has checked that it may see them.
  if (isBackend(context)) return message
  requireViewer(context)
  return message && isVisible(message, await findMembership(context, message.conversationId)) ? message : null
}

/**
 * Returns data of a message only if the viewer sees the message. The permission is read after the data, so that a viewer who is
 * removed in between does not see changes made after the removal (A5).
 */
export function ifSeen<T>(context: Context, messageId: MessageId, found: MaybePromise<T | null>): MaybePromise<T | null> {
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
 * Shows a message to a viewer who received a fact about it, without anything written after the viewer left (A5). A member who
 * sees the message gets it in its current state. Other viewers get it without text and mentions, neither edited nor deleted.
 * @param position the position of the event, of the change, or of the send that is repeated
 */
export function asHeard(context: Context, message: MessageRow, position: Position): MaybePromise<MessageRow> {
  const changedAt = message.changedPosition ?? message.id
  if (changedAt <= (context.visibleRange?.until ?? position) || isBackend(context)) return message
  const { userId } = requireViewer(context)
  const values = [userId, message.conversationId, position, changedAt, message.seq]
  return context.reader.rows(seenBy, values).then(([found]) => (found ? message : withheld(message)))
}

function withheld(message: MessageRow): MessageRow {
  return { ...message, text: '', data: null, ciphertext: null, mentionedUserIds: [], version: 1, editedAt: null, deletedAt: null }
}

/** Finds the newest message of a conversation that the viewer has not hidden; null if the viewer does not see it. */
export function findLastMessage(context: Context, conversationId: ConversationId): MaybePromise<MessageRow | null> {
  const newest = (membership: MembershipRow): MaybePromise<MessageRow | null> =>
    membership.hidesMessages
      ? readVisible(context, membership, { after: null, before: null, from: 'END', limit: 1 }).then(([last]) => last ?? null)
      : findNewestMessage(context, conversationId)
  const find = (membership: MembershipRow) =>
    mapMaybePromise(newest(membership), (message) => (message && isVisible(message, membership) ? message : null))
  return ifMember(context, conversationId, find, null)
}

const findNewestMessage = sharedLoader(async (reader, conversationIds: readonly ConversationId[]) =>
  indexBy(await reader.rows(lastOnes, [conversationIds]), (message) => message.conversationId),
)

/** Reads a page of a conversation's messages that the viewer sees, in order of `seq`. Empty if the viewer is not a member. */
export async function readHistory(
  context: Context,
  conversationId: ConversationId,
  args: DefaultConnectionArguments,
): Promise<Page<MessageRow>> {
  const membership = await findMembership(context, conversationId)
  return readPage(args, seqOf, async (request) => {
    if (!membership) return []
    const messages = await readVisible(context, membership, request)
    const senderIds = messages.map(({ senderId }) => senderId)
    return (await findUser.prepare(context, senderIds, isStillMember(context, membership))) ? messages : []
  })
}

/**
 * The `seq` of a message in this conversation.
 * @throws ParleyError NOT_FOUND if the viewer does not see the message, or if it is in another conversation
 */
export async function requireSeqOf(context: Context, conversationId: ConversationId, messageId: MessageId): Promise<number> {
  const message = await findOwnMessage(context, messageId)
  if (message?.conversationId !== conversationId) throw notFound('Message')
  return message.seq
}

// Within a conversation, times never go back and seqs have no gaps: half of what is left is ruled out in each step.
const seqAt = statement<{ seq: number }>(
  'message_seq_at',
  `with recursive part(low, high) as (
     select 1, h.last_seq from conversation_head h where h.conversation_id = $1
     union all
     select case when m.created_at < $2 then p.middle + 1 else p.low end, case when m.created_at < $2 then p.high else p.middle end
       from (select low, high, (low + high) / 2 as middle from part where low < high) p
       join message m on m.conversation_id = $1 and m.seq = p.middle)
   select low as seq from part where low >= high`,
)

/** The `seq` of a conversation's first message from a time on; if there is none, of its newest; 1 if it has no messages. */
export async function findSeqAt(context: Context, conversationId: ConversationId, at: Date): Promise<number> {
  const [found] = await context.reader.rows(seqAt, [conversationId, at])
  return found?.seq ?? 1
}

/**
 * Reads a page of a conversation's messages around a `seq`, in order. Shows only what the viewer sees, also if that does not include
 * the `seq` itself.
 * @throws ParleyError NOT_FOUND if the viewer is not a member
 */
export async function readHistoryAround(
  context: Context,
  conversationId: ConversationId,
  seq: number,
  around: Around,
): Promise<Page<MessageRow>> {
  const membership = await findMembership(context, conversationId)
  if (!membership) throw notFound('Conversation')
  const page = await readPageAround(seq, around, seqOf, (request) => readVisible(context, membership, request))
  if (!(await isStillMember(context, membership))) throw notFound('Conversation')
  return page
}

const seqOf = (message: MessageRow) => message.seq

function readVisible(context: Context, membership: MembershipRow, { after, before, from, limit }: PageRequest) {
  const read = membership.hidesMessages ? readShownParts : readParts
  return read(context, {
    of: membership.conversationId,
    after: Math.min(Math.max(after ?? 0, membership.visibleFromSeq), beyond),
    before: Math.min(before ?? beyond, beyond),
    from,
    limit,
  })
}

/** Whether the viewer has a capability in the conversation of a message. */
export async function may(context: Context, capability: Capability, messageId: MessageId): Promise<boolean> {
  const message = await findMessage(context, messageId)
  if (!message) return false
  const [membership, conversation] = await Promise.all([
    findMembership(context, message.conversationId),
    findConversation(context, message.conversationId),
  ])
  return membership !== null && conversation !== null && can(capability, conversation.kind, membership.role)
}
