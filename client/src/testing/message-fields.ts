// The fields of messages.

import { deliveredSeq } from './actions.ts'
import type { TestFields } from './test-context.ts'
import { requireViewer, type TestContext } from './test-context.ts'
import { type PageArguments, pageOf } from './test-page.ts'
import { can, membershipOf, sightOf } from './visibility.ts'
import type { TestMessage } from './world.ts'

/** A value that those who have left see only if it has not changed since. */
const asSeen =
  <Value, Other>(read: (message: TestMessage) => Value, other: Other) =>
  (message: TestMessage, _args: object, context: TestContext) =>
    ['NOW', 'THEN'].includes(sightOf(context, message) ?? '') ? read(message) : other

/** A value that only members see. */
const ofMembers =
  <Value, Other>(read: (message: TestMessage, context: TestContext) => Value, other: Other) =>
  (message: TestMessage, _args: object, context: TestContext) =>
    sightOf(context, message) === 'NOW' ? read(message, context) : other

const usersOf = ({ world }: TestContext, ids: readonly string[]) => ids.map((id) => world.users.get(id))

/** A reaction of a message. */
type TestReactions = { readonly message: TestMessage; readonly emoji: string; readonly userIds: readonly string[] }

function conversationOf({ conversationId }: TestMessage, { world }: TestContext) {
  const conversation = world.conversations.get(conversationId)
  if (!conversation) throw new Error('a message without a conversation')
  return conversation
}

function mayChange(message: TestMessage, context: TestContext, isAuthorOnly: boolean): boolean {
  const conversation = conversationOf(message, context)
  const member = membershipOf(context, conversation)
  if (!member || conversation.isClosed || message.deletedAt || sightOf(context, message) !== 'NOW') return false
  return message.senderId === member.userId || (!isAuthorOnly && can('DELETE_OTHERS', conversation, member))
}

export const messageFields: { readonly [type: string]: TestFields } = {
  Message: {
    id: ({ id }: TestMessage) => id,
    seq: ({ seq }: TestMessage) => seq,
    kind: () => 'USER',
    clientMessageId: ({ clientMessageId }: TestMessage) => clientMessageId,
    createdAt: ({ createdAt }: TestMessage) => createdAt,
    text: asSeen(({ text }) => text, ''),
    data: asSeen(({ data }) => data, null),
    version: asSeen(({ version }) => version, 1),
    editedAt: asSeen(({ editedAt }) => editedAt, null),
    deletedAt: asSeen(({ deletedAt }) => deletedAt, null),
    mentions: (message: TestMessage, args: object, context: TestContext) =>
      usersOf(context, asSeen(({ mentions }) => mentions, [])(message, args, context)),
    attachments: () => [],
    ciphertext: () => null,
    epoch: () => null,
    sender: ({ senderId }: TestMessage, _args: object, { world }: TestContext) => world.users.get(senderId),
    conversation: (message: TestMessage, _args: object, context: TestContext) => conversationOf(message, context),
    versions: ofMembers(({ versions }) => versions, []),
    reactions: ofMembers((message) => message.reactions.map((each): TestReactions => ({ message, ...each })), []),
    pinnedAt: ofMembers(({ pinnedAt }) => pinnedAt, null),
    pinnedBy: ofMembers(({ pinnedBy }, { world }) => (pinnedBy === null ? null : world.users.get(pinnedBy)), null),
    replyTo: ({ replyToId }: TestMessage, _args: object, context: TestContext) => {
      const quoted = replyToId === null ? undefined : context.world.messages.get(replyToId)
      return quoted && sightOf(context, quoted) ? quoted : null
    },
    deliveredTo: ofMembers((message, context) => {
      const conversation = conversationOf(message, context)
      const others = [...conversation.members.keys()].filter((id) => id !== message.senderId)
      return usersOf(
        context,
        others.filter((id) => deliveredSeq(context.world, conversation, id) >= message.seq),
      )
    }, []),
    viewerCanEdit: (message: TestMessage, _args: object, context: TestContext) => mayChange(message, context, true),
    viewerCanDelete: (message: TestMessage, _args: object, context: TestContext) => mayChange(message, context, false),
  },
  ReactionGroup: {
    id: ({ message, emoji }: TestReactions) => `ReactionGroup:${message.id}:${emoji}`,
    emoji: ({ emoji }: TestReactions) => emoji,
    count: ({ userIds }: TestReactions) => userIds.length,
    users: ({ userIds }: TestReactions, _args: object, context: TestContext) => usersOf(context, userIds.slice(0, 10)),
    viewerReacted: ({ userIds }: TestReactions, _args: object, context: TestContext) =>
      userIds.includes(requireViewer(context).id),
    reactors: ({ userIds }: TestReactions, args: PageArguments, context: TestContext) =>
      pageOf(usersOf(context, userIds), (user) => userIds.indexOf(user?.id ?? ''), args),
  },
}
