// The schema of delivery: to which members a message has been delivered.

import { findUsers } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { ifMember } from '../conversation/access.ts'
import { Member } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import type { MessageId } from '../id.ts'
import { ifSeen } from './access.ts'
import { findDeliveredSeq, findReceivers } from './delivery-access.ts'
import { messageKinds } from './events.ts'
import { markersEvent, markerType } from './marker-schema.ts'
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

markersEvent(
  messageKinds.DeliveryMarkersMoved,
  'Messages of others were delivered to one or more members. Deliveries within a second are combined into one event. After a long absence a device tells it in its 50 most recently active conversations only; `Member.deliveredSeq` is always current.',
  markerType('DeliveryMarker', {
    description: 'How far the messages of a conversation have been delivered to a user. It only moves forward.',
    seq: 'The `seq` of the last message that was delivered to the user.',
  }),
)
