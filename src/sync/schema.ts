// The schema of synchronisation: the cursor of a snapshot, and the events that continue from it (D3, D4, D8).

import { findSession } from '../account/access.ts'
import { Session } from '../account/schema.ts'
import { closeCodes, notFound, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireSessionViewer, requireViewer } from '../graphql/context.ts'
import { Event, type EventSource } from '../graphql/event.ts'
import { EventSourceStream } from '../graphql/subscriptions.ts'
import { parseId } from '../id.ts'
import { parseCursor } from '../journal/cursor.ts'
import type { StreamItem } from '../journal/item.ts'
import type { SessionViewer } from '../viewer.ts'
import { behindMax, countFactsAfter } from './access.ts'

type Control<Type extends StreamItem['type']> = EventSource<StreamItem & { type: Type }>

const SyncMode = builder.enumType('SyncMode', {
  description: 'How an event stream starts.',
  values: {
    FRESH: { description: 'The stream starts now, because you passed no cursor.' },
    RESUMED: {
      description:
        'The stream continues from your cursor: you receive everything after it, with nothing missing and nothing twice.',
    },
    RESET: {
      description:
        'The stream starts now, because the server cannot continue from your cursor; see `reason`. Discard your copy of the data and read it again.',
    },
  } as const,
})
const ResetReason = builder.enumType('ResetReason', {
  description: 'Why a stream could not continue from its cursor.',
  values: {
    CURSOR_TOO_OLD: { description: 'The journal no longer goes back that far.' },
    OTHER_EPOCH: { description: 'The journal has been restarted since, or the cursor comes from another installation.' },
    OTHER_HISTORY: {
      description:
        'The server has returned to an earlier state since, for example from a restored backup or a standby that lagged behind.',
    },
    AHEAD_OF_JOURNAL: { description: 'The cursor is ahead of the journal, for the same reasons as OTHER_HISTORY.' },
  } as const,
})

builder.objectType(builder.objectRef<Control<'started'>>('SyncStarted'), {
  description: 'The first event of every stream.',
  interfaces: [Event],
  fields: (t) => ({
    mode: t.field({ type: SyncMode, description: 'Where the stream starts.', resolve: ({ item }) => item.mode }),
    reason: t.field({
      type: ResetReason,
      nullable: true,
      description: 'Why the mode is RESET; null otherwise.',
      resolve: ({ item }) => (item.mode === 'RESET' ? item.reason : null),
    }),
  }),
})
builder.objectType(builder.objectRef<Control<'caughtUp'>>('CaughtUp'), {
  description: 'The stream has delivered all missed events; the following ones are live.',
  interfaces: [Event],
  fields: (t) => ({
    count: t.int({ description: 'The number of events delivered since SyncStarted.', resolve: ({ item }) => item.count }),
  }),
})
builder.objectType(builder.objectRef<Control<'tick'>>('Tick'), {
  description:
    'A keep-alive event, sent at least every 25 seconds while there is nothing else. If you receive none, the stream is dead: reconnect.',
  interfaces: [Event],
})

builder.queryField('syncCursor', (t) =>
  t.field({
    type: 'Cursor',
    description:
      'The cursor of this response: an operation that selects it reads everything from one snapshot, and `events(after:)` continues exactly from there.',
    resolve: (_root, _args, context) => {
      requireViewer(context)
      if (!context.snapshot) throw new Error('an operation with syncCursor ran outside a snapshot')
      return context.app.journal.cursor(context.snapshot)
    },
  }),
)

const AcknowledgeInput = builder.inputType('AcknowledgeInput', {
  description: 'Input for `acknowledge`.',
  fields: (t) => ({
    cursor: t.field({ type: 'Cursor', description: 'The cursor up to which this device has stored everything.' }),
  }),
})
const AcknowledgePayload = builder.objectRef<SessionViewer>('AcknowledgePayload').implement({
  description: 'The result of `acknowledge`: the cursor is stored.',
  fields: (t) => ({
    session: t.field({
      type: Session,
      description: 'The session of this device in its current state.',
      resolve: async (viewer, _args, context) => {
        const session = await findSession(viewer, viewer.sessionId, context.reader)
        if (!session) throw notFound('Session')
        return session
      },
    }),
  }),
})

builder.objectField(Session, 'behindBy', (t) =>
  t.int({
    nullable: true,
    description: `The number of events after \`syncedUntil\` that the device may see and that are still in the journal, without \`DeliveryMarkersMoved\`; ${behindMax} means ${behindMax} or more. Null if \`syncedUntil\` is null.`,
    complexity: 10,
    resolve: ({ userId, syncedPosition }, _args, context) =>
      syncedPosition === null ? null : countFactsAfter(context, `${userId}:${syncedPosition}`),
  }),
)

builder.mutationField('acknowledge', (t) =>
  t.field({
    type: AcknowledgePayload,
    description:
      'Reports up to which cursor this device has stored everything; `sessions` shows it, and the members of the conversations see the messages as delivered. It only moves forward: an older cursor changes nothing and succeeds. It does not affect what `events` delivers. The answer comes once the cursor is stored, which takes up to a second. Errors: BAD_INPUT, CURSOR_REFUSED, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: AcknowledgeInput, description: 'The cursor to acknowledge.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireSessionViewer(context)
      await context.app.acknowledgements.add(viewer.sessionId, parseCursor(input.cursor, 'input.cursor'))
      return viewer
    },
  }),
)

builder.subscriptionField('events', (t) =>
  t.field({
    type: Event,
    description:
      'Delivers everything that happens in your conversations and to your account, in order: SyncStarted, the events that you missed since `after`, CaughtUp, then live events. Errors: BAD_INPUT, NOT_FOUND, UNAVAILABLE.',
    args: {
      after: t.arg({
        type: 'Cursor',
        required: false,
        description:
          'The last cursor that you have processed, from an event or from `syncCursor`. Without it, the stream starts now.',
      }),
      conversationId: t.arg.id({
        required: false,
        description: 'Delivers only the events of this conversation. You must be, or have been, a member.',
      }),
    },
    subscribe: async (_root, args, context) => {
      const { userId } = requireViewer(context)
      const { app } = context
      const after = args.after == null ? null : parseCursor(args.after, 'after')
      const conversationId = args.conversationId == null ? null : parseId('Conversation', args.conversationId, 'conversationId')
      if (!app.journal.isFollowing())
        throw new ParleyError('UNAVAILABLE', 'The journal cannot be read at the moment. Try again later.', {
          retryAfterMs: 1_000,
        })
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
