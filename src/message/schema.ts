// Messages in the schema.

import { z } from 'zod'
import { findPresentUser, findUsers } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import { parseArguments } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import type { MessageRow } from '../journal/tables.ts'
import { findLastMessage, findOwnMessage, readHistory, readHistoryAround, readVersions, type VersionRow } from './access.ts'

const MessageVersion = builder.objectRef<VersionRow>('MessageVersion').implement({
  description: 'A text of a message that an edit replaced.',
  fields: (t) => ({
    version: t.exposeInt('version', { shared: true, description: 'Which one: 1 is the text as it was sent.' }),
    text: t.exposeString('text', { shared: true, description: 'The text.' }),
    writtenAt: t.expose('writtenAt', { shared: true, type: 'DateTime', description: 'Since when it stood there.' }),
  }),
})

const readVisibleVersions = async (context: Context, messageId: number) =>
  (await findOwnMessage(context, messageId)) ? ((await readVersions(context, messageId)) ?? []) : []

export const Message = builder.objectRef<MessageRow>('Message')
builder.node(Message, {
  description: 'What somebody wrote. Its id sorts: of two messages the later one has the greater id.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadMany: (ids, context) => Promise.all(ids.map((id) => findOwnMessage(context, Number(id)))),
  fields: (t) => ({
    conversation: t.field({
      type: Conversation,
      shared: true,
      description: 'Where it was written.',
      resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
    }),
    seq: t.exposeInt('seq', { shared: true, description: 'Its number in the conversation: 1, 2, 3, … without a gap.' }),
    sender: t.field({
      type: User,
      nullable: true,
      shared: true,
      description: 'Who wrote it; null when the account is gone.',
      resolve: ({ senderId }, _args, context) => findPresentUser(context, senderId),
    }),
    text: t.exposeString('text', {
      shared: true,
      description: 'The text to the character, as sent or last edited; empty when it was deleted.',
    }),
    version: t.exposeInt('version', { shared: true, description: 'Counts from 1; each edit, and the deletion, adds one.' }),
    editedAt: t.field({
      type: 'DateTime',
      nullable: true,
      shared: true,
      description: 'When its text was last replaced; null when it never was.',
      resolve: ({ editedAt }) => (editedAt === null ? null : new Date(editedAt)),
    }),
    deletedAt: t.field({
      type: 'DateTime',
      nullable: true,
      shared: true,
      description: 'When it was deleted for everyone; null when it was not. A deleted message keeps its place and its `seq`.',
      resolve: ({ deletedAt }) => (deletedAt === null ? null : new Date(deletedAt)),
    }),
    mentions: t.field({
      type: [User],
      shared: true,
      description: 'Whom the text mentions.',
      resolve: ({ mentionedUserIds }, _args, context) => findUsers(context, mentionedUserIds),
    }),
    versions: t.field({
      type: [MessageVersion],
      shared: true,
      description: 'The texts that edits replaced, the oldest first; none for somebody who does not see the message.',
      resolve: ({ id, isNew }, _args, context) => (isNew ? [] : readVisibleVersions(context, id)),
    }),
    clientMessageId: t.exposeID('clientMessageId', {
      shared: true,
      nullable: true,
      description: 'The key that the sender chose: by it a client knows its own optimistic copy again.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      shared: true,
      description: 'When it was committed. Never before an older message of any conversation.',
      resolve: ({ createdAt }) => new Date(createdAt),
    }),
  }),
})

builder.objectField(Message, 'replyTo', (t) =>
  t.field({
    type: Message,
    nullable: true,
    shared: true,
    description: 'The message that it answers; null where it answers none, and for somebody who may not see that one.',
    resolve: ({ replyToId }, _args, context) => (replyToId === null ? null : findOwnMessage(context, replyToId)),
  }),
)

/** A message in a page. A field of a later file may show what it lays beside the message. */
export const MessageEdge = builder.edgeObject({ type: Message, name: 'MessageEdge', description: 'A message in a page.' })
/** Messages by page, wherever they come from. */
export const MessageConnection = builder.connectionObject(
  { type: Message, name: 'MessageConnection', description: 'Messages, by page.' },
  MessageEdge,
)

const aroundSizes = { max: 50, fallback: 25 } as const
const aroundCount = z
  .int()
  .nullish()
  .transform((count) => count ?? aroundSizes.fallback)
  .refine((count) => count >= 0 && count <= aroundSizes.max, `must be 0 to ${aroundSizes.max}`)
const aroundForm = z.object({
  messageId: z.string(),
  before: aroundCount,
  after: aroundCount,
})

builder.objectFields(Conversation, (t) => ({
  messages: t.connection(
    {
      type: Message,
      description:
        'Its messages in the order of `seq`: the newest page is `last: 50`. Where newcomers see what is sent after they joined, it begins there. Empty for somebody who is not in it.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readHistory(context, id, args),
    },
    MessageConnection,
    MessageEdge,
  ),
  messagesAround: t.field({
    type: MessageConnection,
    description:
      'The page of history with one of its messages in the middle, in the order of `seq`. Its cursors are those of `messages`: go on with `before: startCursor` and `after: endCursor` there. Errors: NOT_FOUND, BAD_INPUT.',
    args: {
      messageId: t.arg.id({ description: 'A message of this conversation.' }),
      before: t.arg.int({
        required: false,
        description: `How many before it: 0 to ${aroundSizes.max}, else ${aroundSizes.fallback}.`,
      }),
      after: t.arg.int({
        required: false,
        description: `How many after it: 0 to ${aroundSizes.max}, else ${aroundSizes.fallback}.`,
      }),
    },
    complexity: ({ before, after }) => ({ field: 1, multiplier: sizeAround(before) + sizeAround(after) + 1 }),
    resolve: ({ id }, args, context) => {
      const { messageId, ...around } = parseArguments(aroundForm, args)
      return readHistoryAround(context, id, parseId('Message', messageId, 'messageId'), around)
    },
  }),
  lastMessage: t.field({
    type: Message,
    nullable: true,
    description: 'The newest message; null where you see none, and for somebody who is not in the conversation.',
    resolve: ({ id }, _args, context) => findLastMessage(context, id),
  }),
}))

/** What one side of such a page counts in the cost of an operation. */
const sizeAround = (count: number | null | undefined) => Math.min(Math.max(count ?? aroundSizes.fallback, 0), aroundSizes.max)
