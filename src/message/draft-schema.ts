// The schema of drafts, which a user's devices share.

import { z } from 'zod'
import { ifMember } from '../conversation/access.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { lengthOf, parseInput, perLimit, wellFormed } from '../graphql/input.ts'
import { conversationIdOf, encodeId, parseId } from '../id.ts'
import { findOwnMessage } from './access.ts'
import { type DraftRow, readDraft } from './draft-access.ts'
import { saveDraft } from './draft-actions.ts'
import { messageKinds } from './events.ts'
import { Message } from './schema.ts'

const Draft = builder.objectRef<DraftRow>('Draft').implement({
  description: 'What you have begun to write in a conversation. Only you can see it.',
  fields: (t) => ({
    id: t.id({
      description: 'Identifies the draft, for caches. It cannot be passed to `node`.',
      resolve: ({ conversationId, userId }) => `Draft:${encodeId('Member', conversationId, userId)}`,
    }),
    text: t.exposeString('text', { description: 'The text so far, kept exactly as saved. May be empty in a reply.' }),
    replyTo: t.field({
      type: Message,
      nullable: true,
      description: 'The message that you are replying to; null if it is no reply, or if you cannot see that message any more.',
      resolve: ({ replyToId }, _args, context) => (replyToId === null ? null : findOwnMessage(context, replyToId)),
    }),
    savedAt: t.expose('savedAt', { type: 'DateTime', description: 'When it was saved.' }),
  }),
})

builder.objectField(Conversation, 'draft', (t) =>
  t.field({
    type: Draft,
    nullable: true,
    description:
      'What you have begun to write here, on any of your devices; null if nothing, or if you are not a member. Nobody else can see it.',
    resolve: ({ id }, _args, context) => ifMember(context, id, () => readDraft(context, id), null),
  }),
)

const SaveDraftInput = builder.inputType('SaveDraftInput', {
  description: 'Input for `saveDraft`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation.' }),
    text: t.string({
      description:
        'The text so far, at most as long as a message. An empty text removes the draft, unless it replies to a message.',
    }),
    replyToId: t.id({
      required: false,
      description: 'The ID of the message that you are replying to, in the same conversation. Null or omitted: none.',
    }),
  }),
})
const form = perLimit((textMax) =>
  z.object({
    conversationId: z.string(),
    text: wellFormed.refine((text) => lengthOf(text) <= textMax, `must have at most ${textMax} characters`),
    replyToId: z.string().nullish(),
  }),
)

builder.mutationField('saveDraft', (t) =>
  t.field({
    type: conversationPayload('SaveDraftPayload', 'saveDraft'),
    description:
      'Saves what you have begun to write in a conversation, for all your devices: the last one that is saved wins. Save when the user pauses or leaves the conversation, not at each key; sending a message does not remove the draft. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN in a closed conversation, ENCRYPTION_REQUIRED in an encrypted one, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: SaveDraftInput, description: 'The conversation, and the draft.' }) },
    resolve: async (_root, { input }, context) => {
      const { text, ...ids } = parseInput(form(context.app.config.limits.messageTextMax), input)
      const conversationId = parseId('Conversation', ids.conversationId, 'input.conversationId')
      const replyToId = ids.replyToId == null ? null : parseId('Message', ids.replyToId, 'input.replyToId')
      const { userId } = requireViewer(context)
      return { conversationId, place: await saveDraft({ conversationId, userId, text, replyToId }, context.app) }
    },
  }),
)

builder.objectField(
  factEvent(
    messageKinds.DraftChanged,
    'You saved or removed a draft, on this or another device: show `conversation.draft`, unless the user is writing there. Sent only to you.',
  ),
  'conversation',
  (t) =>
    t.field({
      shared: true,
      type: Conversation,
      description: 'The conversation of the draft.',
      resolve: (event, _args, context) => requireConversation(context, conversationIdOf(subjectOf(event))),
    }),
)
