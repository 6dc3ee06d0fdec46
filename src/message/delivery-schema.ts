// The schema of delivery: to which members a message has been delivered.

import { findUsers, requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { ifMember } from '../conversation/access.ts'
import { Conversation, Member, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import { conversationOf, factEvent } from '../graphql/event.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { encodeId, type MessageId } from '../id.ts'
import { payloadOf } from '../journal/kind.ts'
import { ifSeen } from './access.ts'
import { findDeliveredSeq, findReceivers } from './delivery-access.ts'
import { messageKinds } from './events.ts'
import type { MarkerInput } from './markers.ts'
import { Message } from './schema.ts'

const readReceivers = (context: Context, messageId: MessageId) =>
  mapMaybePromise(ifSeen(context, messageId, findReceivers(context, messageId)), (rows) =>
    findUsers(
      context,
      (rows ?? []).map(({ userId }) => userId),
    ),
  )

builder.objectField(Message, 'deliveredTo', (t) =>
  t.field({
    type: [User],
    description:
      'The members, without the sender, who have a device that has acknowledged (`acknowledge`) that it stored the message, ordered by user. Empty if you cannot see the message, and in a closed conversation.',
    complexity: { field: 1, multiplier: 20 },
    resolve: ({ id }, _args, context) => readReceivers(context, id),
  }),
)

/** Finding it takes a search in the history. */
const deliveredCost = 5

builder.objectField(Member, 'deliveredSeq', (t) =>
  t.int({
    description:
      'The `seq` of the last message that a device of the member has acknowledged; 0 if none, in a closed conversation, and if you are not a member.',
    complexity: deliveredCost,
    resolve: ({ conversationId, userId }, _args, context) =>
      ifMember(context, conversationId, () => findDeliveredSeq(context, `${conversationId}:${userId}`), 0),
  }),
)

const DeliveryMarker = builder.objectRef<MarkerInput>('DeliveryMarker').implement({
  description: 'How far the messages of a conversation have been delivered to a user. It only moves forward.',
  fields: (t) => ({
    id: t.id({
      shared: true,
      description: 'Identifies the conversation and the user, for caches. It cannot be passed to `node`.',
      resolve: ({ conversationId, userId }) => `DeliveryMarker:${encodeId('Member', conversationId, userId)}`,
    }),
    user: t.field({
      shared: true,
      type: User,
      description: 'The user.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    seq: t.exposeInt('seq', { shared: true, description: 'The `seq` of the last message that was delivered to the user.' }),
  }),
})

const DeliveryMarkersMoved = factEvent(
  messageKinds.DeliveryMarkersMoved,
  'Messages of others were delivered to one or more members. Deliveries within a second are combined into one event. After a long absence a device tells it in its 50 most recently active conversations only; `Member.deliveredSeq` is always current.',
)
builder.objectFields(DeliveryMarkersMoved, (t) => ({
  conversation: t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation.',
    resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
  }),
  markers: t.field({
    shared: true,
    type: [DeliveryMarker],
    description: 'The markers that moved, each with its new `seq`. Keep the greatest `seq` of each user.',
    resolve: (event) => {
      const { markers } = payloadOf(messageKinds.DeliveryMarkersMoved, event.item.fact)
      return markers.map((marker) => ({ conversationId: conversationOf(event), ...marker }))
    },
  }),
}))
