// The schema of messages.

import { findPresentUser, findUsers } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import { readCustomData } from '../graphql/custom-data.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { pageCost } from '../graphql/page.ts'
import { type MessageId, messageIdOf, systemId } from '../id.ts'
import { findLastMessage, findOwnMessage, ifSeen, readHistory, readVersions, type VersionRow } from './access.ts'
import type { MessageRow } from './row.ts'

const MessageVersion = builder.objectRef<VersionRow>('MessageVersion').implement({
  description: 'An earlier text of a message, from before an edit.',
  fields: (t) => ({
    version: t.exposeInt('version', { shared: true, description: 'The version number; 1 is the text as first sent.' }),
    text: t.exposeString('text', { shared: true, description: 'The text of this version.' }),
    writtenAt: t.expose('writtenAt', { shared: true, type: 'DateTime', description: 'When this version was written.' }),
  }),
})

const readVisibleVersions = (context: Context, messageId: MessageId) =>
  mapMaybePromise(ifSeen(context, messageId, readVersions(context, messageId)), (versions) => versions ?? [])

const MessageKind = builder.enumType('MessageKind', {
  description: 'Who wrote a message.',
  values: {
    USER: { description: 'A person.' },
    SYSTEM: { description: 'The backend of the app, with `sendSystemMessage`. The message has no sender.' },
  } as const,
})

export const Message = builder.objectRef<MessageRow>('Message')
builder.node(Message, {
  description: 'A message in a conversation. IDs sort by age: a newer message has a greater ID.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadManyWithoutCache: (ids, context) => Promise.all(ids.map((id) => findOwnMessage(context, messageIdOf(id)))),
  fields: (t) => ({
    conversation: t.field({
      type: Conversation,
      shared: true,
      description: 'The conversation that the message belongs to.',
      resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
    }),
    seq: t.exposeInt('seq', {
      shared: true,
      description: 'The number of the message within its conversation: 1, 2, 3, … without gaps.',
    }),
    sender: t.field({
      type: User,
      nullable: true,
      shared: true,
      description: 'Who sent the message; null for a system message, and if the account was deleted.',
      resolve: ({ senderId }, _args, context) => (senderId === systemId ? null : findPresentUser(context, senderId)),
    }),
    kind: t.field({
      shared: true,
      type: MessageKind,
      description: 'Whether a person or the backend of the app wrote the message.',
      resolve: ({ senderId }) => (senderId === systemId ? 'SYSTEM' : 'USER'),
    }),
    text: t.exposeString('text', {
      shared: true,
      description: 'The text exactly as sent or last edited; empty if the message was deleted, and in an encrypted conversation.',
    }),
    data: t.field({
      shared: true,
      type: 'JSON',
      nullable: true,
      description: 'Custom data that came with the message or its last edit; null if there is none or the message was deleted.',
      resolve: ({ data }) => readCustomData(data),
    }),
    version: t.exposeInt('version', {
      shared: true,
      description: 'The version number. Starts at 1; each edit, and the deletion, adds 1.',
    }),
    editedAt: t.field({
      type: 'DateTime',
      nullable: true,
      shared: true,
      description: 'When the text was last edited; null if it never was.',
      resolve: ({ editedAt }) => (editedAt === null ? null : new Date(editedAt)),
    }),
    deletedAt: t.field({
      type: 'DateTime',
      nullable: true,
      shared: true,
      description: 'When the message was deleted for everyone; null if it was not. A deleted message keeps its place and `seq`.',
      resolve: ({ deletedAt }) => (deletedAt === null ? null : new Date(deletedAt)),
    }),
    mentions: t.field({
      type: [User],
      shared: true,
      description: 'The members that the message mentions.',
      resolve: ({ mentionedUserIds }, _args, context) => findUsers(context, mentionedUserIds),
    }),
    versions: t.field({
      type: [MessageVersion],
      shared: true,
      description: 'The earlier texts of the message, oldest first. Empty if you cannot see the message.',
      resolve: ({ id, isNew }, _args, context) => (isNew ? [] : readVisibleVersions(context, id)),
    }),
    clientMessageId: t.exposeID('clientMessageId', {
      shared: true,
      nullable: true,
      description: 'The UUID that the sender chose. A client uses it to recognise its own message.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      shared: true,
      description:
        'When the message was committed; of an imported message, when it was written in the other system. Never earlier than an older message of the same conversation.',
      resolve: ({ createdAt }) => new Date(createdAt),
    }),
  }),
})

builder.objectFields(Message, (t) => ({
  ciphertext: t.expose('ciphertext', {
    shared: true,
    type: 'Base64',
    nullable: true,
    description:
      'What was encrypted by the sending device in place of a text; null in a plain conversation, and if the message was deleted.',
  }),
  epoch: t.exposeInt('epoch', {
    shared: true,
    nullable: true,
    description: 'The epoch of the conversation in which `ciphertext` was encrypted; null in a plain conversation.',
  }),
}))

builder.objectField(Message, 'replyTo', (t) =>
  t.field({
    type: Message,
    nullable: true,
    shared: true,
    description: 'The message that this one replies to; null if it is not a reply, or if you cannot see that message.',
    resolve: ({ replyToId }, _args, context) => (replyToId === null ? null : findOwnMessage(context, replyToId)),
  }),
)

/** A message on a page. Other features may add fields. */
export const MessageEdge = builder.edgeObject({ type: Message, name: 'MessageEdge', description: 'A message on a page.' })
/** A page of messages. */
export const MessageConnection = builder.connectionObject(
  { type: Message, name: 'MessageConnection', description: 'A page of messages.' },
  MessageEdge,
)

builder.objectFields(Conversation, (t) => ({
  messages: t.connection(
    {
      type: Message,
      description:
        'The messages, ordered by `seq`: `last: 50` returns the newest page. If new members see only messages sent after they joined, the list starts there. Empty if you are not a member.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readHistory(context, id, args),
    },
    MessageConnection,
    MessageEdge,
  ),
  lastMessage: t.field({
    type: Message,
    nullable: true,
    description: 'The newest message; null if you can see none, or if you are not a member.',
    resolve: ({ id }, _args, context) => findLastMessage(context, id),
  }),
}))
