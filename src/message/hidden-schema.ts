// The schema of hiding a message for oneself.

import { Conversation, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { type FactEvent, factEvent, subjectOf } from '../graphql/event.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { messageIdOf, parseId } from '../id.ts'
import type { FactKind } from '../journal/kind.ts'
import { asHeard } from './access.ts'
import { type Changed, change } from './change-actions.ts'
import { messageKinds } from './events.ts'
import { changePayload, requireMessage } from './mutations.ts'
import { Message } from './schema.ts'

const HideMessageInput = builder.inputType('HideMessageInput', {
  description: 'Input for `hideMessage`.',
  fields: (t) => ({ messageId: t.id({ description: 'The ID of a message that you can see, also of a deleted one.' }) }),
})
const UnhideMessageInput = builder.inputType('UnhideMessageInput', {
  description: 'Input for `unhideMessage`.',
  fields: (t) => ({ messageId: t.id({ description: 'The ID of a message that you have hidden.' }) }),
})

function hide(kind: 'hide' | 'unhide', id: string, context: Context): Promise<Changed> {
  const { userId: actorId } = requireViewer(context)
  return change({ change: kind, messageId: parseId('Message', id, 'input.messageId'), actorId }, context.app)
}

builder.mutationFields((t) => ({
  hideMessage: t.field({
    type: changePayload('HideMessagePayload', 'hideMessage'),
    description:
      'Hides a message for you alone, on all your devices: it is left out of `messages`, `messagesAround`, `lastMessage`, `pinnedMessages`, `attachments` and searches, and is not unread. Everybody else still sees it, and does not learn of it. It stays available by ID and as `replyTo`, and its later events still reach you. Hiding it again changes nothing. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN in a closed conversation, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: HideMessageInput, description: 'The message to hide.' }) },
    resolve: (_root, { input }, context) => hide('hide', input.messageId, context),
  }),
  unhideMessage: t.field({
    type: changePayload('UnhideMessagePayload', 'unhideMessage'),
    description:
      'Shows a message again that you have hidden. If it is not hidden, nothing changes. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN in a closed conversation, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: UnhideMessageInput, description: 'The message to show again.' }) },
    resolve: (_root, { input }, context) => hide('unhide', input.messageId, context),
  }),
}))

function hidingEvent(kind: FactKind, description: string): void {
  const messageOf = (event: FactEvent, context: Context) => requireMessage(context, messageIdOf(subjectOf(event)))
  builder.objectFields(factEvent(kind, description), (t) => ({
    message: t.field({
      shared: true,
      type: Message,
      description: 'The message in its current state, or as it was when you left the conversation.',
      resolve: (event, _args, context) =>
        mapMaybePromise(messageOf(event, context), (message) => asHeard(context, message, event.item.fact.position)),
    }),
    conversation: t.field({
      shared: true,
      type: Conversation,
      description: 'The conversation of the message.',
      resolve: (event, _args, context) =>
        mapMaybePromise(messageOf(event, context), ({ conversationId }) => requireConversation(context, conversationId)),
    }),
  }))
}

hidingEvent(
  messageKinds.MessageHidden,
  'You hid a message for yourself, on this or another device: stop showing it, and read the counts of the conversation again. Sent only to you.',
)
hidingEvent(messageKinds.MessageUnhidden, 'You show a message again that you had hidden. Sent only to you.')
