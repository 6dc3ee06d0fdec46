// The schema of pins: messages that the members of a conversation keep at hand.

import { findPresentUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { Conversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { type MaybePromise, mapMaybePromise } from '../graphql/loader.ts'
import { parseId } from '../id.ts'
import { ifSeen, may } from './access.ts'
import { changeLimits } from './change.ts'
import { type Changed, change } from './change-actions.ts'
import { messageKinds } from './events.ts'
import { changePayload, messageEvent } from './mutations.ts'
import { findPin, type PinRow, readPinnedMessages } from './pin-access.ts'
import type { MessageRow } from './row.ts'
import { Message } from './schema.ts'

/** Finds the pin of a message, if the viewer sees the message. */
const findVisiblePin = (context: Context, { id, isNew }: MessageRow): MaybePromise<PinRow | null> =>
  isNew ? null : ifSeen(context, id, findPin(context, id))

builder.objectFields(Message, (t) => ({
  pinnedAt: t.field({
    shared: true,
    type: 'DateTime',
    nullable: true,
    description: 'When the message was pinned; null if it is not pinned, or if you cannot see it.',
    resolve: (message, _args, context) => mapMaybePromise(findVisiblePin(context, message), (pin) => pin?.pinnedAt ?? null),
  }),
  pinnedBy: t.field({
    shared: true,
    type: User,
    nullable: true,
    description: 'Who pinned the message; null if it is not pinned, or if the account was deleted.',
    resolve: (message, _args, context) =>
      mapMaybePromise(findVisiblePin(context, message), (pin) => pin && findPresentUser(context, pin.pinnedBy)),
  }),
}))

builder.objectField(Conversation, 'pinnedMessages', (t) =>
  t.field({
    type: [Message],
    description: `The pinned messages that you can see, most recently pinned first; at most ${changeLimits.pins}. Empty if you are not a member.`,
    complexity: { field: 1, multiplier: changeLimits.pins },
    resolve: ({ id }, _args, context) => readPinnedMessages(context, id),
  }),
)

const PinMessageInput = builder.inputType('PinMessageInput', {
  description: 'Input for `pinMessage`.',
  fields: (t) => ({ messageId: t.id({ description: 'The ID of a message in a conversation where `viewerCanPin` is true.' }) }),
})
const UnpinMessageInput = builder.inputType('UnpinMessageInput', {
  description: 'Input for `unpinMessage`.',
  fields: (t) => ({ messageId: t.id({ description: 'The ID of a message in a conversation where `viewerCanPin` is true.' }) }),
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
    description: `Pins a message for everyone in the conversation. Pinning it again changes nothing. A conversation can have at most ${changeLimits.pins} pinned messages. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, LIMIT_EXCEEDED, RATE_LIMITED, UNAVAILABLE.`,
    args: { input: t.arg({ type: PinMessageInput, description: 'The message to pin.' }) },
    resolve: (_root, { input }, context) => setPin('pin', input.messageId, context),
  }),
  unpinMessage: t.field({
    type: UnpinMessagePayload,
    description:
      'Unpins a message, no matter who pinned it. Unpinning a message that is not pinned changes nothing. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: UnpinMessageInput, description: 'The message to unpin.' }) },
    resolve: (_root, { input }, context) => setPin('unpin', input.messageId, context),
  }),
}))

messageEvent(messageKinds.PinsChanged, 'A message was pinned or unpinned. `message.pinnedAt` and `message.pinnedBy` are current.')
