// Pins in the schema: messages that the members of a conversation keep at hand.

import { findPresentUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { Conversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { andThen, type MaybePromise } from '../graphql/loader.ts'
import { parseId } from '../id.ts'
import { changeLimits } from '../journal/change.ts'
import type { MessageRow } from '../journal/tables.ts'
import { findOwnMessage, may } from '../message/access.ts'
import { type Changed, change } from '../message/actions.ts'
import { changePayload, messageEvent } from '../message/mutations.ts'
import { Message } from '../message/schema.ts'
import { findPin, type PinRow, readPinnedMessages } from './access.ts'

/** The pin of a message that the viewer sees. */
const findVisiblePin = (context: Context, { id, isNew }: MessageRow): MaybePromise<PinRow | null> =>
  isNew ? null : findOwnMessage(context, id).then((message) => message && findPin(context, id))

builder.objectFields(Message, (t) => ({
  pinnedAt: t.field({
    shared: true,
    type: 'DateTime',
    nullable: true,
    description: 'When it was pinned; null where it is not, and for somebody who does not see it.',
    resolve: (message, _args, context) => andThen(findVisiblePin(context, message), (pin) => pin?.pinnedAt ?? null),
  }),
  pinnedBy: t.field({
    shared: true,
    type: User,
    nullable: true,
    description: 'Who pinned it; null where it is not pinned, or the account is gone.',
    resolve: (message, _args, context) =>
      andThen(findVisiblePin(context, message), (pin) => pin && findPresentUser(context, pin.pinnedBy)),
  }),
}))

builder.objectField(Conversation, 'pinnedMessages', (t) =>
  t.field({
    type: [Message],
    description: `Its pinned messages that you see, the one pinned last first: at most ${changeLimits.pins}. None for somebody who is not in it.`,
    complexity: { field: 1, multiplier: changeLimits.pins },
    resolve: ({ id }, _args, context) => readPinnedMessages(context, id),
  }),
)

const PinMessageInput = builder.inputType('PinMessageInput', {
  description: 'A message to pin.',
  fields: (t) => ({ messageId: t.id({ description: 'The message, of a conversation where `viewerCanPin`.' }) }),
})
const UnpinMessageInput = builder.inputType('UnpinMessageInput', {
  description: 'A message to unpin.',
  fields: (t) => ({ messageId: t.id({ description: 'The message, of a conversation where `viewerCanPin`.' }) }),
})

async function setPin(kind: 'pin' | 'unpin', id: string, context: Context): Promise<Changed> {
  const { userId } = requireViewer(context)
  const messageId = parseId('Message', id, 'input.messageId')
  const isEntitled = await may(context, 'PIN', messageId)
  return change({ change: kind, messageId, actorId: userId, isEntitled }, context.app)
}

const PinMessagePayload = changePayload('PinMessagePayload', 'pinMessage')
const UnpinMessagePayload = changePayload('UnpinMessagePayload', 'unpinMessage')

builder.mutationFields((t) => ({
  pinMessage: t.field({
    type: PinMessagePayload,
    description: `Pins a message for everyone in the conversation; one that is pinned stays so. At most ${changeLimits.pins} in a conversation. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, LIMIT_EXCEEDED, UNAVAILABLE.`,
    args: { input: t.arg({ type: PinMessageInput, description: 'Which one.' }) },
    resolve: (_root, { input }, context) => setPin('pin', input.messageId, context),
  }),
  unpinMessage: t.field({
    type: UnpinMessagePayload,
    description:
      'Takes a pin off, whoever set it; a message that is not pinned stays so. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: UnpinMessageInput, description: 'Which one.' }) },
    resolve: (_root, { input }, context) => setPin('unpin', input.messageId, context),
  }),
}))

messageEvent('PinsChanged', 'A message was pinned or unpinned: `pinnedAt` and `pinnedBy` are those of now.')
