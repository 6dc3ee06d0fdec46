// The schema of reactions.

import { z } from 'zod'
import { findUsers } from '../account/access.ts'
import { User, UserConnection, UserEdge } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, isBackend, requireViewer } from '../graphql/context.ts'
import { parseInput } from '../graphql/input.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { pageCost } from '../graphql/page.ts'
import { encodeId, type MessageId, parseId } from '../id.ts'
import { ifSeen } from './access.ts'
import { changeLimits } from './change.ts'
import { change } from './change-actions.ts'
import { findEmoji, findStoredEmoji } from './emoji.ts'
import { messageKinds } from './events.ts'
import { changePayload, messageEvent } from './mutations.ts'
import { type ReactionGroupRow, readReactions, readReactors } from './reaction-access.ts'
import { Message } from './schema.ts'

const emojiForm = (find: (text: string) => string | null) =>
  z.string().transform((text, issues) => {
    const emoji = find(text)
    if (emoji === null) issues.addIssue('must be a single emoji that Unicode recommends for general interchange (RGI)')
    return emoji ?? z.NEVER
  })
const forms = {
  react: z.object({ messageId: z.string(), emoji: emojiForm(findEmoji) }),
  unreact: z.object({ messageId: z.string(), emoji: emojiForm(findStoredEmoji) }),
} as const

const ReactionGroup = builder.objectRef<ReactionGroupRow>('ReactionGroup').implement({
  description: 'All reactions to a message that use the same emoji.',
  fields: (t) => ({
    id: t.id({
      shared: true,
      description: 'Identifies the message and the emoji, for caches. It cannot be passed to `node`.',
      resolve: ({ messageId, emoji }) => `ReactionGroup:${encodeId('Message', messageId)}:${emoji}`,
    }),
    emoji: t.exposeString('emoji', {
      shared: true,
      description: 'The emoji in its fully-qualified form: with U+FE0F exactly where Unicode requires it.',
    }),
    count: t.int({
      shared: true,
      description: 'How many people reacted with this emoji.',
      resolve: ({ userIds }) => userIds.length,
    }),
    viewerReacted: t.boolean({
      shared: true,
      description: 'Whether you reacted with this emoji.',
      resolve: ({ userIds }, _args, context) => !isBackend(context) && userIds.includes(requireViewer(context).userId),
    }),
    users: t.field({
      shared: true,
      type: [User],
      description: 'The first ten people who reacted with this emoji, in order. `reactors` lists all.',
      resolve: ({ userIds }, _args, context) => findUsers(context, userIds.slice(0, 10)),
    }),
    reactors: t.connection(
      {
        type: User,
        description: 'All people who reacted with this emoji, ordered by user.',
        complexity: pageCost,
        resolve: (group, args, context) => readReactors(context, group, args),
      },
      UserConnection,
      UserEdge,
    ),
  }),
})

const readVisibleReactions = (context: Context, messageId: MessageId) =>
  mapMaybePromise(ifSeen(context, messageId, readReactions(context, messageId)), (groups) => groups ?? [])

builder.objectField(Message, 'reactions', (t) =>
  t.field({
    shared: true,
    type: [ReactionGroup],
    description:
      'The reactions, grouped by emoji, in the order in which each emoji was first used. Empty if you cannot see the message.',
    complexity: { field: 1, multiplier: 3 },
    resolve: ({ id, isNew }, _args, context) => (isNew ? [] : readVisibleReactions(context, id)),
  }),
)

const AddReactionInput = builder.inputType('AddReactionInput', {
  description: 'Input for `addReaction`.',
  fields: (t) => ({
    messageId: t.id({ description: 'The ID of the message.' }),
    emoji: t.string({
      description:
        'A single emoji that Unicode recommends for general interchange (RGI, Emoji 18.0), such as 👍🏽, 🇰🇷, 1️⃣ or 👩‍🚀. Variation selectors (U+FE0F) make no difference: ❤ and ❤️ are the same emoji.',
    }),
  }),
})
const RemoveReactionInput = builder.inputType('RemoveReactionInput', {
  description: 'Input for `removeReaction`.',
  fields: (t) => ({
    messageId: t.id({ description: 'The ID of the message.' }),
    emoji: t.string({ description: 'The emoji that you reacted with. Variation selectors (U+FE0F) make no difference.' }),
  }),
})

const react = (kind: 'react' | 'unreact', input: unknown, context: Context) => {
  const { messageId, emoji } = parseInput(forms[kind], input)
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
    description: `Adds your reaction to a message. Adding the same reaction again changes nothing. A message can have at most ${changeLimits.emojiOnMessage} different emoji. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, LIMIT_EXCEEDED, RATE_LIMITED, UNAVAILABLE.`,
    args: { input: t.arg({ type: AddReactionInput, description: 'The message, and the emoji.' }) },
    resolve: (_root, { input }, context) => react('react', input, context),
  }),
  removeReaction: t.field({
    type: RemoveReactionPayload,
    description:
      'Removes your reaction from a message. Changes nothing if there is none. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: RemoveReactionInput, description: 'The message, and the emoji to remove.' }) },
    resolve: (_root, { input }, context) => react('unreact', input, context),
  }),
}))

messageEvent(
  messageKinds.ReactionsChanged,
  'A reaction to a message was added or removed. `message.reactions` is the current list.',
)
