// Synchronisation in the schema: the cursor of a snapshot, and the events that go on from it (D3, D4, D8).

import { findSession } from '../account/access.ts'
import { Session } from '../account/schema.ts'
import { closeCodes, notFound, ParleyError } from '../errors.ts'
import { EventSourceStream } from '../graphql/answers.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { Event, type EventSource } from '../graphql/event.ts'
import { parseId } from '../id.ts'
import { parseCursor } from '../journal/cursor.ts'
import type { StreamItem } from '../journal/item.ts'
import type { Viewer } from '../viewer.ts'

type Control<Type extends StreamItem['type']> = EventSource<StreamItem & { type: Type }>

const SyncMode = builder.enumType('SyncMode', {
  description: 'How a stream of events begins.',
  values: {
    FRESH: { description: 'From now: no cursor was given.' },
    RESUMED: { description: 'From the cursor: everything after it follows, nothing is missing, nothing comes twice.' },
    RESET: { description: 'From now, because the cursor cannot be served: read your snapshot anew. `reason` says why.' },
  } as const,
})
const ResetReason = builder.enumType('ResetReason', {
  description: 'Why a stream could not go on from its cursor.',
  values: {
    CURSOR_TOO_OLD: { description: 'The journal is no longer kept that far back.' },
    OTHER_EPOCH: { description: 'The journal was started anew since, or the cursor is of another installation.' },
    OTHER_HISTORY: {
      description: 'The server went back to an earlier state since (a restored backup, a stand-by that was behind).',
    },
    AHEAD_OF_JOURNAL: { description: 'The cursor is ahead of the journal, for the same causes.' },
  } as const,
})

builder.objectType(builder.objectRef<Control<'started'>>('SyncStarted'), {
  description: 'The first event of every stream.',
  interfaces: [Event],
  fields: (t) => ({
    mode: t.field({ type: SyncMode, description: 'From where it goes on.', resolve: ({ item }) => item.mode }),
    reason: t.field({
      type: ResetReason,
      nullable: true,
      description: 'Why it is a RESET; null otherwise.',
      resolve: ({ item }) => (item.mode === 'RESET' ? item.reason : null),
    }),
  }),
})
builder.objectType(builder.objectRef<Control<'caughtUp'>>('CaughtUp'), {
  description: 'Everything that was missed has been brought; what follows is live.',
  interfaces: [Event],
  fields: (t) => ({
    count: t.int({ description: 'How many events were brought since SyncStarted.', resolve: ({ item }) => item.count }),
  }),
})
builder.objectType(builder.objectRef<Control<'tick'>>('Tick'), {
  description: 'A sign of life, at least every 25 seconds while nothing else comes. A stream without one is dead: connect again.',
  interfaces: [Event],
})

builder.queryField('syncCursor', (t) =>
  t.field({
    type: 'Cursor',
    description:
      'The place of this very answer: an operation that selects it reads everything in one snapshot, and `events(after:)` goes on from it exactly.',
    resolve: (_root, _args, context) => {
      requireViewer(context)
      if (!context.snapshot) throw new Error('an operation with syncCursor ran outside a snapshot')
      return context.app.journal.cursor(context.snapshot)
    },
  }),
)

const AcknowledgeInput = builder.inputType('AcknowledgeInput', {
  description: 'What this device has stored.',
  fields: (t) => ({
    cursor: t.field({ type: 'Cursor', description: 'The last cursor up to which it has stored everything.' }),
  }),
})
const AcknowledgePayload = builder.objectRef<Viewer>('AcknowledgePayload').implement({
  description: 'The answer to `acknowledge`: it is stored.',
  fields: (t) => ({
    session: t.field({
      type: Session,
      description: 'The session of this device, as it stands now.',
      resolve: async (viewer, _args, context) => {
        const session = await findSession(viewer, viewer.sessionId, context.reader)
        if (!session) throw notFound('Session')
        return session
      },
    }),
  }),
})

builder.mutationField('acknowledge', (t) =>
  t.field({
    type: AcknowledgePayload,
    description:
      'Says what this device has stored; `sessions` shows it. It only moves forward: a stale one is a success without effect. It changes nothing of what `events` brings. The answer comes when it is stored, up to a second later. Errors: BAD_INPUT, CURSOR_REFUSED, UNAVAILABLE.',
    args: { input: t.arg({ type: AcknowledgeInput, description: 'Up to where.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      await context.app.journal.acknowledge(viewer.sessionId, parseCursor(input.cursor, 'input.cursor'))
      return viewer
    },
  }),
)

builder.subscriptionField('events', (t) =>
  t.field({
    type: Event,
    description:
      'Everything that happens in your conversations and to yourself, in order: SyncStarted, what you missed since `after`, CaughtUp, then live. Errors: BAD_INPUT, NOT_FOUND, UNAVAILABLE.',
    args: {
      after: t.arg({
        type: 'Cursor',
        required: false,
        description:
          'The last cursor that you have dealt with, from an event or from `syncCursor`. Without it the stream begins now.',
      }),
      conversationId: t.arg.id({ required: false, description: 'One conversation only, which you are or were in.' }),
    },
    subscribe: async (_root, args, context) => {
      const { userId } = requireViewer(context)
      const { app } = context
      const after = args.after == null ? null : parseCursor(args.after, 'after')
      const conversationId = args.conversationId == null ? null : parseId('Conversation', args.conversationId, 'conversationId')
      if (!app.journal.isFollowing())
        throw new ParleyError('UNAVAILABLE', 'The journal cannot be read at the moment', { retryAfterMs: 1_000 })
      const stream = await app.journal.openStream({
        userId,
        after,
        conversationId,
        onAbandoned: (reason) => context.endConnection(closeCodes.RESUME, reason),
      })
      if (!stream) throw notFound('Conversation')
      return new EventSourceStream(stream)
    },
    resolve: (event) => event,
  }),
)
