// Reading in the schema: markers, and the counts that follow from them.

import { z } from 'zod'
import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { ifMember } from '../conversation/access.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { conversationOf, factEvent, subjectOf } from '../graphql/event.ts'
import { parseInput } from '../graphql/input.ts'
import { andThen } from '../graphql/loader.ts'
import { parseId } from '../id.ts'
import type { ReadPayload } from '../journal/read-marker.ts'
import { type ReadMarkerRow, readMarkers, readUnread } from './access.ts'
import { type Marked, markRead } from './actions.ts'

const form = z.object({
  conversationId: z.string(),
  seq: z.number().int().min(0, 'must be 0 or more'),
})
const markerForm = z.object({ userId: z.number().int(), seq: z.number().int() })
const payloadForm: z.ZodType<ReadPayload> = z.object({ seq: z.number().int(), markers: z.array(markerForm).optional() })

const ReadMarker = builder.objectRef<ReadMarkerRow>('ReadMarker').implement({
  description: 'How far somebody has read a conversation. It only moves forward.',
  fields: (t) => ({
    user: t.field({
      shared: true,
      type: User,
      description: 'Who.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    seq: t.exposeInt('seq', { shared: true, description: 'The `seq` of the last message that they have read; 0 for none.' }),
  }),
})

builder.objectFields(Conversation, (t) => ({
  unreadCount: t.int({
    description: 'How many messages of others, not deleted, come after your read marker; 0 for somebody who is not in it.',
    resolve: ({ id }, _args, context) =>
      ifMember(context, id, () => andThen(readUnread(context, id), (row) => row?.unread ?? 0), 0),
  }),
  mentionCount: t.int({
    description: 'How many messages after your read marker mention you; 0 for somebody who is not in it.',
    resolve: ({ id }, _args, context) =>
      ifMember(context, id, () => andThen(readUnread(context, id), (row) => row?.mentions ?? 0), 0),
  }),
  readMarkers: t.field({
    type: [ReadMarker],
    description:
      'How far each member who has read anything has come, by user; without those whose account is gone. None for somebody who is not in it.',
    complexity: { field: 1, multiplier: 20 },
    resolve: ({ id }, _args, context) => ifMember(context, id, () => readMarkers(context, id), []),
  }),
}))

const MarkReadInput = builder.inputType('MarkReadInput', {
  description: 'How far you have read.',
  fields: (t) => ({
    conversationId: t.id({ description: 'Which conversation.' }),
    seq: t.int({ description: 'The `seq` of the last message that you have read. Beyond the newest one it means all of them.' }),
  }),
})

const MarkReadPayload = builder.objectRef<Marked>('MarkReadPayload').implement({
  description: 'The answer to `markRead`.',
  fields: (t) => ({
    conversation: t.field({
      type: Conversation,
      description: 'The conversation, with its counts as they are now.',
      resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
    }),
    seq: t.exposeInt('seq', { description: 'Where your marker stands now: never before where it stood.' }),
    cursor: t.field({
      type: 'Cursor',
      nullable: true,
      description: 'The place of the fact that tells it; null where the marker stood there or further already.',
      resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
    }),
  }),
})

builder.mutationField('markRead', (t) =>
  t.field({
    type: MarkReadPayload,
    description:
      'Moves your read marker forward, on all your devices; a stale one is a success without effect. The answer comes when it is stored, up to a second later where others read there too. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: MarkReadInput, description: 'Where, and how far.' }) },
    resolve: (_root, { input }, context) => {
      const { conversationId, seq } = parseInput(form, input)
      return markRead(requireViewer(context), parseId('Conversation', conversationId, 'input.conversationId'), seq, context.app)
    },
  }),
)

const ReadMarkersMoved = factEvent(
  'ReadMarkersMoved',
  'Members have read on; perhaps you, on another device. The moves of a second are gathered in one event.',
)
builder.objectFields(ReadMarkersMoved, (t) => ({
  conversation: t.field({
    shared: true,
    type: Conversation,
    description: 'Where.',
    resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
  }),
  markers: t.field({
    shared: true,
    type: [ReadMarker],
    description: 'The markers that moved, where they stand after it. Keep the greatest `seq` of each user.',
    resolve: (event) => {
      const { seq, markers = [{ userId: subjectOf(event), seq }] } = payloadForm.parse(event.item.fact.payload)
      return markers.map((marker) => ({ conversationId: conversationOf(event), ...marker }))
    },
  }),
}))
