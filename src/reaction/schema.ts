// Reactions in the schema.

import { z } from 'zod'
import { findUsers } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { parseInput } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import { changeLimits } from '../journal/change.ts'
import { findOwnMessage } from '../message/access.ts'
import { change } from '../message/actions.ts'
import { changePayload, messageEvent } from '../message/mutations.ts'
import { Message } from '../message/schema.ts'
import { type ReactionGroupRow, readReactions } from './access.ts'
import { isEmoji } from './emoji.ts'

const form = z.object({ messageId: z.string(), emoji: z.string().refine(isEmoji, 'must be one emoji') })

const ReactionGroup = builder.objectRef<ReactionGroupRow>('ReactionGroup').implement({
  description: 'What people reacted to a message with one emoji.',
  fields: (t) => ({
    emoji: t.exposeString('emoji', { shared: true, description: 'The emoji.' }),
    count: t.int({ shared: true, description: 'How many people used it.', resolve: ({ userIds }) => userIds.length }),
    viewerReacted: t.boolean({
      shared: true,
      description: 'Whether you are among them.',
      resolve: ({ userIds }, _args, context) => userIds.includes(requireViewer(context).userId),
    }),
    users: t.field({
      shared: true,
      type: [User],
      description: 'Who used it: the first ten, in order.',
      resolve: ({ userIds }, _args, context) => findUsers(context, userIds.slice(0, 10)),
    }),
  }),
})

const readVisibleReactions = async (context: Context, messageId: number) =>
  (await findOwnMessage(context, messageId)) ? ((await readReactions(context, messageId)) ?? []) : []

builder.objectField(Message, 'reactions', (t) =>
  t.field({
    shared: true,
    type: [ReactionGroup],
    description: 'Reactions by emoji, the one used first first; none for somebody who does not see the message.',
    complexity: { field: 1, multiplier: 3 },
    resolve: ({ id, isNew }, _args, context) => (isNew ? [] : readVisibleReactions(context, id)),
  }),
)

const AddReactionInput = builder.inputType('AddReactionInput', {
  description: 'A reaction to a message.',
  fields: (t) => ({
    messageId: t.id({ description: 'The message.' }),
    emoji: t.string({ description: 'One emoji, as people see it.' }),
  }),
})
const RemoveReactionInput = builder.inputType('RemoveReactionInput', {
  description: 'A reaction to take back.',
  fields: (t) => ({
    messageId: t.id({ description: 'The message.' }),
    emoji: t.string({ description: 'The emoji that you used.' }),
  }),
})

const react = (kind: 'react' | 'unreact', input: unknown, context: Context) => {
  const { messageId, emoji } = parseInput(form, input)
  const { userId } = requireViewer(context)
  return change(
    { change: kind, messageId: parseId('Message', messageId, 'input.messageId'), actorId: userId, emoji },
    context.app,
  )
}

const AddReactionPayload = changePayload('AddReactionPayload', 'addReaction')
const RemoveReactionPayload = changePayload('RemoveReactionPayload', 'removeReaction')

builder.mutationFields((t) => ({
  addReaction: t.field({
    type: AddReactionPayload,
    description: `Reacts to a message; the same reaction again changes nothing. At most ${changeLimits.emojiOnMessage} different emoji on a message. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, LIMIT_EXCEEDED, UNAVAILABLE.`,
    args: { input: t.arg({ type: AddReactionInput, description: 'To what, and how.' }) },
    resolve: (_root, { input }, context) => react('react', input, context),
  }),
  removeReaction: t.field({
    type: RemoveReactionPayload,
    description:
      'Takes a reaction back; one that is not there changes nothing. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: RemoveReactionInput, description: 'Of what, and which.' }) },
    resolve: (_root, { input }, context) => react('unreact', input, context),
  }),
}))

messageEvent('ReactionsChanged', 'Somebody reacted to a message, or took a reaction back: `reactions` are those of now.')
