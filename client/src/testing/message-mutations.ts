// The mutations of messages.

import type * as api from '../generated/schema-types.ts'
import { addMessage, done, moveMarker, tellAll } from './actions.ts'
import { badInput, lacks, refuse, tooSoon } from './refusal.ts'
import { stopTyping } from './signals.ts'
import {
  checkId,
  requireMessage,
  requireOpen,
  requireOwn,
  requireViewer,
  type TestContext,
  type TestFields,
} from './test-context.ts'
import { can, sightOf, visibleMessages } from './visibility.ts'
import type { TestConversation, TestMember, TestMessage, TestWorld } from './world.ts'

/** The limits of the server's defaults. */
export const testLimits = { messageTextMax: 10_000, mentionsMax: 100, pinsMax: 50, emojiOnMessageMax: 20 }

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function checkText(text: string): string {
  if (text.trim() === '') throw badInput('input.text', 'must not be empty')
  if ([...text].length > testLimits.messageTextMax)
    throw badInput('input.text', `must have at most ${testLimits.messageTextMax} characters`)
  return text
}

function sendMessage(_root: unknown, { input }: { input: api.SendMessageInput }, context: TestContext) {
  const { world } = context
  const viewer = requireViewer(context)
  const { clientMessageId, replyToId = null, data = null } = input
  if (input.ciphertext != null) throw lacks('encryption')
  const text = checkText(input.text ?? '')
  if (!uuid.test(clientMessageId)) throw badInput('input.clientMessageId', 'must be a UUID')
  if ((input.attachmentIds ?? []).length > 0) throw lacks('attachments')
  const mentions = [...new Set(input.mentionedUserIds ?? [])]
  if (mentions.length > testLimits.mentionsMax)
    throw badInput('input.mentionedUserIds', `must have at most ${testLimits.mentionsMax} IDs`)
  for (const id of mentions) checkId('User', id, 'input.mentionedUserIds')
  const conversationId = checkId('Conversation', input.conversationId, 'input.conversationId')
  const content = JSON.stringify([conversationId, text, replyToId, [...mentions].sort(), data])
  const key = clientMessageId.toLowerCase()
  // The key comes first: a sender who was removed still gets the first message.
  const first = [...world.messages.values()].find(
    (message) => message.senderId === viewer.id && message.clientMessageId.toLowerCase() === key,
  )
  if (first && first.content !== content) {
    const message = 'This clientMessageId was already used with different content.'
    throw refuse('IDEMPOTENCY_CONFLICT', message, 'input.clientMessageId')
  }
  if (first) return { message: first, cursor: world.journal.cursor(first.number) }
  const { conversation, member } = requireOpen(context, conversationId)
  requireMayPost(context, conversation, member)
  const quoted = replyToId === null ? null : conversation.messages.find(({ id }) => id === replyToId)
  if (replyToId !== null && (!quoted || quoted.seq <= member.hiddenSeq))
    throw refuse('NOT_FOUND', 'The message that you reply to is not in this conversation.', 'input.replyToId')
  if (mentions.some((id) => !conversation.members.has(id)))
    throw refuse('NOT_FOUND', 'A user that you mention is not in this conversation.', 'input.mentionedUserIds')
  const message = addMessage(world, conversation, {
    senderId: viewer.id,
    clientMessageId,
    content,
    text,
    data,
    mentions,
    replyToId,
  })
  stopTyping(world, conversation.id, viewer.id)
  return { message, cursor: world.journal.cursor(message.number) }
}

/** @throws GraphQLError FORBIDDEN, or RATE_LIMITED in slow mode */
function requireMayPost(context: TestContext, conversation: TestConversation, member: TestMember): void {
  if (can('ANNOUNCE', conversation, member) || conversation.kind === 'DIRECT') return
  if (conversation.announcementsOnly) throw refuse('FORBIDDEN', 'Only the owner and admins of this group can write in it.')
  const last = conversation.messages.findLast(
    ({ senderId, createdAt }) => senderId === member.userId && createdAt >= member.joinedAt,
  )
  const waitMs = last ? last.createdAt.getTime() + conversation.slowModeS * 1_000 - context.world.journal.now().getTime() : 0
  if (waitMs > 0) throw tooSoon('The group is in slow mode.', waitMs)
}

const forwardMax = { conversations: 20, messages: 20, copies: 100 }

/** The messages to forward. @throws GraphQLError NOT_FOUND, MESSAGE_DELETED */
function requireForwardable(context: TestContext, ids: readonly string[]): TestMessage[] {
  return ids.map((id, i) => {
    const argument = `input.messageIds.${i}`
    const message = context.world.messages.get(checkId('Message', id, argument))
    if (!message || sightOf(context, message) !== 'NOW') throw refuse('NOT_FOUND', 'Message not found.', argument)
    if (message.deletedAt) throw refuse('MESSAGE_DELETED', 'The message was deleted.', argument)
    return message
  })
}

/** Sends copies. Their keys are not those of the server, but of version 5, too. */
function forwardMessages(_root: unknown, { input }: { input: api.ForwardMessagesInput }, context: TestContext) {
  const { world } = context
  const viewer = requireViewer(context)
  if (!uuid.test(input.clientMessageId)) throw badInput('input.clientMessageId', 'must be a UUID')
  for (const [argument, ids, most] of [
    ['input.messageIds', input.messageIds, forwardMax.messages],
    ['input.conversationIds', input.conversationIds, forwardMax.conversations],
  ] as const)
    if (ids.length < 1 || ids.length > most) throw badInput(argument, `must have 1 to ${most} IDs`)
  const conversationIds = [...new Set(input.conversationIds)]
  const messageIds = [...new Set(input.messageIds)]
  if (messageIds.length * conversationIds.length > forwardMax.copies)
    throw refuse('LIMIT_EXCEEDED', `At most ${forwardMax.copies} copies can be sent at once.`, 'input.messageIds')
  const messages = requireForwardable(context, messageIds)
  const copies = conversationIds.flatMap((conversationId) =>
    messages.map((message) => {
      const key = [viewer.id, input.clientMessageId.toLowerCase(), conversationId, message.id].join(' ')
      const first = world.messages.get(world.copies.get(key) ?? '')
      if (first) return first
      const clientMessageId = copyKey(world)
      const copy = sendMessage(
        null,
        { input: { conversationId, clientMessageId, text: message.text, data: message.data } },
        context,
      )
      world.copies.set(key, copy.message.id)
      return copy.message
    }),
  )
  return { messages: copies }
}

/** A drawn UUID with the version of the keys of copies. */
function copyKey({ random }: TestWorld): string {
  const digits = [...random.bytes(16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-5${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20)}`
}

function editMessage(_root: unknown, { input }: { input: api.EditMessageInput }, context: TestContext) {
  const { message, conversation, member } = requireMessage(context, input.messageId)
  const text = checkText(input.text)
  if (message.senderId !== member.userId) throw refuse('FORBIDDEN', 'Only the author may edit a message.')
  if (message.deletedAt) throw refuse('MESSAGE_DELETED', 'The message was deleted.')
  if (input.expectedVersion != null && input.expectedVersion !== message.version)
    throw refuse('VERSION_CONFLICT', 'The message has changed since the version that you expect.', 'input.expectedVersion')
  const { data = message.data } = input
  if (text === message.text && JSON.stringify(data) === JSON.stringify(message.data))
    return done(context.world, null, { message })
  const { text: former, version } = message
  message.versions = [...message.versions, { text: former, version, writtenAt: message.editedAt ?? message.createdAt }]
  message.version += 1
  Object.assign(message, { text, data })
  const fact = tellAll(context.world, conversation, 'MessageEdited', { messageId: message.id })
  message.editedAt = fact.at
  message.changedAt = fact.position
  return done(context.world, fact, { message })
}

function deleteMessage(_root: unknown, { input }: { input: api.DeleteMessageInput }, context: TestContext) {
  const { message, conversation, member } = requireMessage(context, input.messageId)
  if (message.senderId !== member.userId && !can('DELETE_OTHERS', conversation, member))
    throw refuse('FORBIDDEN', 'Only the author or a group admin may delete a message.')
  if (message.deletedAt) return done(context.world, null, { message })
  const fact = tellAll(context.world, conversation, 'MessageDeleted', { messageId: message.id })
  const left = { text: '', data: null, versions: [], mentions: [], reactions: [], pinnedAt: null, pinnedBy: null }
  Object.assign(message, left, { version: message.version + 1, deletedAt: fact.at, changedAt: fact.position })
  return done(context.world, fact, { message })
}

/** The message of a reaction or a pin, which must not be deleted. */
function requirePresent(context: TestContext, messageId: string) {
  const found = requireMessage(context, messageId)
  if (found.message.deletedAt) throw refuse('MESSAGE_DELETED', 'The message was deleted.')
  return found
}

/** One emoji, as far as a pattern can tell. The server knows exactly which there are. */
const emojiPattern = '^\\p{RGI_Emoji}$'
const emojiForm = new RegExp(emojiPattern, 'v')

function checkEmoji(emoji: string): string {
  const qualified = [emoji, `${emoji}\uFE0F`, emoji.replace(/^([0-9#*])\u20E3$/, '$1\uFE0F\u20E3')].find((form) =>
    emojiForm.test(form),
  )
  if (qualified === undefined) throw badInput('input.emoji', 'must be one emoji')
  return qualified
}

function react(context: TestContext, input: api.AddReactionInput, isAdded: boolean) {
  const emoji = checkEmoji(input.emoji)
  const { message, conversation, member } = requirePresent(context, input.messageId)
  const known = message.reactions.find((each) => each.emoji === emoji)
  const { userId } = member
  if ((known?.userIds.includes(userId) ?? false) === isAdded) return done(context.world, null, { message })
  if (isAdded && !known && message.reactions.length >= testLimits.emojiOnMessageMax) {
    const text = `A message can have at most ${testLimits.emojiOnMessageMax} different emoji.`
    throw refuse('LIMIT_EXCEEDED', text, 'input.emoji')
  }
  const userIds = isAdded ? [...(known?.userIds ?? []), userId] : (known?.userIds ?? []).filter((id) => id !== userId)
  const changed = known
    ? message.reactions.map((each) => (each === known ? { emoji, userIds } : each))
    : [...message.reactions, { emoji, userIds }]
  message.reactions = changed.filter((each) => each.userIds.length > 0)
  return done(context.world, tellAll(context.world, conversation, 'ReactionsChanged', { messageId: message.id }), { message })
}

function pin(context: TestContext, messageId: string, isPinned: boolean) {
  const { message, conversation, member } = requirePresent(context, messageId)
  if (!can('PIN', conversation, member)) throw refuse('FORBIDDEN', 'Your role in this conversation does not allow this.')
  if ((message.pinnedAt !== null) === isPinned) return done(context.world, null, { message })
  if (isPinned && conversation.messages.filter(({ pinnedAt }) => pinnedAt).length >= testLimits.pinsMax) {
    const text = `A conversation can have at most ${testLimits.pinsMax} pinned messages.`
    throw refuse('LIMIT_EXCEEDED', text, 'input.messageId')
  }
  const fact = tellAll(context.world, conversation, 'PinsChanged', { messageId: message.id })
  Object.assign(message, isPinned ? { pinnedAt: fact.at, pinnedBy: member.userId } : { pinnedAt: null, pinnedBy: null })
  return done(context.world, fact, { message })
}

function hide(context: TestContext, messageId: string, isHidden: boolean) {
  const { message, member } = requireMessage(context, messageId)
  const { userId } = member
  if (message.hiddenBy.has(userId) === isHidden) return done(context.world, null, { message })
  if (isHidden) message.hiddenBy.add(userId)
  else message.hiddenBy.delete(userId)
  const about = { conversationId: message.conversationId, messageId: message.id }
  const fact = context.world.journal.append(isHidden ? 'MessageHidden' : 'MessageUnhidden', [userId], about)
  return done(context.world, fact, { message })
}

function markRead(_root: unknown, { input }: { input: api.MarkReadInput }, context: TestContext) {
  if (input.seq < 0) throw badInput('input.seq', 'must be 0 or more')
  const { conversation, member } = requireOpen(context, input.conversationId)
  const fact = moveMarker(context.world, conversation, member, input.seq)
  return done(context.world, fact, { conversation, seq: member.readSeq })
}

/** Searches the messages of the viewer: every word must occur. The server knows more about languages. */
export function searchMessages(
  args: { readonly query: string; readonly conversationId?: string | null; readonly senderId?: string | null },
  context: TestContext,
): TestMessage[] {
  const words = args.query.trim().toLowerCase().split(/\s+/)
  if (words[0] === '') throw badInput('query', 'must not be empty')
  const where: readonly TestConversation[] =
    args.conversationId == null
      ? [...context.world.conversations.values()]
      : [requireOwn(context, args.conversationId, 'conversationId').conversation]
  const viewer = requireViewer(context)
  return where
    .flatMap((conversation) => {
      const member = conversation.members.get(viewer.id)
      return member ? visibleMessages(context, conversation) : []
    })
    .filter(({ senderId }) => args.senderId == null || senderId === args.senderId)
    .filter(({ text }) => words.every((word) => text.toLowerCase().includes(word)))
    .sort((a, b) => b.number - a.number)
}

export const messageMutations: TestFields = {
  sendMessage,
  forwardMessages,
  editMessage,
  deleteMessage,
  markRead,
  addReaction: (_root: unknown, { input }: { input: api.AddReactionInput }, context: TestContext) => react(context, input, true),
  removeReaction: (_root: unknown, { input }: { input: api.RemoveReactionInput }, context: TestContext) =>
    react(context, input, false),
  pinMessage: (_root: unknown, { input }: { input: api.PinMessageInput }, context: TestContext) =>
    pin(context, input.messageId, true),
  unpinMessage: (_root: unknown, { input }: { input: api.UnpinMessageInput }, context: TestContext) =>
    pin(context, input.messageId, false),
  hideMessage: (_root: unknown, { input }: { input: api.HideMessageInput }, context: TestContext) =>
    hide(context, input.messageId, true),
  unhideMessage: (_root: unknown, { input }: { input: api.UnhideMessageInput }, context: TestContext) =>
    hide(context, input.messageId, false),
}
