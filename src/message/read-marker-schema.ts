// The schema of read markers, and of the counts that depend on them.

import { z } from 'zod'
import { ifMember } from '../conversation/access.ts'
import { Conversation, Member, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { parseInput } from '../graphql/input.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { cursorField } from '../graphql/payload.ts'
import { parseId } from '../id.ts'
import { messageKinds } from './events.ts'
import { markersEvent, markerType } from './marker-schema.ts'
import { findReadTime, readMarkers, readUnread, readUnreadTotals, type UnreadTotalsRow } from './read-marker-access.ts'
import { type Marked, markRead } from './read-marker-actions.ts'

const form = z.object({
  conversationId: z.string(),
  seq: z.number().int().min(0, 'must be 0 or more'),
})

const ReadMarker = markerType('ReadMarker', {
  description: 'How far a user has read a conversation. It only moves forward.',
  seq: 'The `seq` of the last message that the user has read; 0 if none.',
})

/** Counting scans up to 10,000 messages of a conversation. */
const countCost = 20

builder.objectFields(Conversation, (t) => ({
  unreadCount: t.int({
    complexity: countCost,
    description:
      'The number of messages after your read marker, without deleted ones, your own, and those of users you have blocked. Stops at 1,000; see `unreadCountIsExact`. 0 in a closed conversation, and if you are not a member.',
    resolve: ({ id }, _args, context) =>
      ifMember(context, id, () => mapMaybePromise(readUnread(context, id), (row) => row?.unread ?? 0), 0),
  }),
  unreadCountIsExact: t.boolean({
    complexity: countCost,
    description:
      'Whether `unreadCount` is complete. False if there may be more: show the count as "1,000+". True if you are not a member.',
    resolve: ({ id }, _args, context) =>
      ifMember(context, id, () => mapMaybePromise(readUnread(context, id), (row) => row?.isExact ?? true), true),
  }),
  mentionCount: t.int({
    complexity: countCost,
    description: 'The number of unread messages that mention you, at most 1,000. 0 if you are not a member.',
    resolve: ({ id }, _args, context) =>
      ifMember(context, id, () => mapMaybePromise(readUnread(context, id), (row) => row?.mentions ?? 0), 0),
  }),
  readMarkers: t.field({
    type: [ReadMarker],
    description:
      'The read markers of all members who have read anything, ordered by user, without deleted accounts. Empty if you are not a member.',
    complexity: { field: 1, multiplier: 20 },
    resolve: ({ id }, _args, context) => ifMember(context, id, () => readMarkers(context, id), []),
  }),
}))

builder.objectField(Member, 'readAt', (t) =>
  t.field({
    type: 'DateTime',
    nullable: true,
    description: "When the member's read marker last moved; null if they have read nothing, or if you are not a member.",
    resolve: ({ conversationId, userId }, _args, context) =>
      ifMember(context, conversationId, () => findReadTime(context, `${conversationId}:${userId}`), null),
  }),
)

const UnreadTotals = builder.objectRef<UnreadTotalsRow>('UnreadTotals').implement({
  description: 'What is unread in all your conversations together, archived ones too, but without those that you have muted.',
  fields: (t) => ({
    conversations: t.exposeInt('conversations', { description: 'The number of conversations with unread messages.' }),
    messages: t.exposeInt('messages', {
      description: 'The number of unread messages, as `unreadCount` counts them, at most 1,000 of each conversation.',
    }),
    mentions: t.exposeInt('mentions', { description: 'The number of unread messages that mention you.' }),
  }),
})

/** Counting scans up to 10,000 messages of each conversation with unread messages. */
const totalsCost = 1_000

builder.queryField('unreadTotals', (t) =>
  t.field({
    type: UnreadTotals,
    complexity: totalsCost,
    description: 'What is unread in all your conversations together, for a badge.',
    resolve: (_root, _args, context) => readUnreadTotals(context, new Date(context.app.clock.now())),
  }),
)

const MarkReadInput = builder.inputType('MarkReadInput', {
  description: 'Input for `markRead`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation.' }),
    seq: t.int({
      description:
        'The `seq` of the last message that you have read. A `seq` beyond the newest message marks all messages as read.',
    }),
  }),
})

const MarkReadPayload = builder.objectRef<Marked>('MarkReadPayload').implement({
  description: 'The result of `markRead`.',
  fields: (t) => ({
    conversation: t.field({
      type: Conversation,
      description: 'The conversation, with its current counts.',
      resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
    }),
    seq: t.exposeInt('seq', {
      description: 'The `seq` of your read marker: you have read everything up to there. It never moves back.',
    }),
    cursor: cursorField(t, 'The cursor of the event that this mutation caused; null if the marker was already there or further.'),
  }),
})

builder.mutationField('markRead', (t) =>
  t.field({
    type: MarkReadPayload,
    description:
      'Moves your read marker forward, on all your devices. Moving it back changes nothing and succeeds. The answer comes once the marker is stored, which takes up to a second while others are reading in the same conversation. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: MarkReadInput, description: 'The conversation, and the last message that you have read.' }) },
    resolve: (_root, { input }, context) => {
      const { conversationId, seq } = parseInput(form, input)
      return markRead(requireViewer(context), parseId('Conversation', conversationId, 'input.conversationId'), seq, context.app)
    },
  }),
)

markersEvent(
  messageKinds.ReadMarkersMoved,
  'The read markers of one or more members moved forward; yours may be among them. Moves within a second are combined into one event.',
  ReadMarker,
)
