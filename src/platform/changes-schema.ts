// The schema of `changes`: every fact of the installation, for the backend of a product.

import { z } from 'zod'
import { findUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { isBackend, requireKey } from '../graphql/context.ts'
import { Event } from '../graphql/event.ts'
import { line, parseArguments, parseInput } from '../graphql/input.ts'
import { EventSourceIterable } from '../graphql/subscriptions.ts'
import { parseCursor } from '../journal/cursor.ts'
import { audited } from './audit.ts'
import {
  acknowledgeChanges,
  type ConsumerRow,
  consumersMax,
  deleteConsumer,
  readConsumers,
  startOfChanges,
} from './change-consumers.ts'

const nameMax = 100
const consumerName = line(nameMax)
const named = `The name of the consumer: 1 to ${nameMax} characters on one line.`

builder.interfaceField(Event, 'audienceUser', (t) =>
  t.field({
    type: User,
    nullable: true,
    description:
      'In `changes`: the only user that the event is for, or the first of several that get the same one. Null for an event of a conversation, and always null in `events`.',
    resolve: ({ item }, _args, context) =>
      item.type === 'fact' && item.fact.userId !== null && isBackend(context) ? findUser(context, item.fact.userId) : null,
  }),
)

const ChangeConsumer = builder.objectRef<ConsumerRow>('ChangeConsumer').implement({
  description: 'A consumer of `changes`, and how far it is.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name that `changes` was given.' }),
    cursor: t.expose('cursor', { type: 'Cursor', description: 'The cursor up to which the consumer has stored everything.' }),
    behindBy: t.exposeInt('behindBy', {
      description: 'How many entries the journal has after that cursor, also those that `changes` does not show.',
    }),
    acknowledgedAt: t.expose('acknowledgedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last acknowledged; null if it never was.',
    }),
  }),
})

builder.queryField('changeConsumers', (t) =>
  t.field({
    type: [ChangeConsumer],
    complexity: consumersMax,
    description: 'The consumers of `changes`, by name. Needs a server key with the scope CHANGES. Errors: FORBIDDEN.',
    resolve: (_root, _args, context) => readConsumers(requireKey(context, 'CHANGES'), context.app),
  }),
)

builder.subscriptionField('changes', (t) =>
  t.field({
    type: Event,
    description:
      'Delivers everything that happens on this server, or to the tenant of the key, in order: SyncStarted, the events that the consumer has missed, CaughtUp, then live events. What depends on a viewer is null, false or empty. An event that an action sends to each of several users comes once. Needs a server key with the scope CHANGES. Errors: BAD_INPUT, LIMIT_EXCEEDED, FORBIDDEN, UNAVAILABLE.',
    args: {
      consumer: t.arg.string({ description: `${named} It is known from then on.` }),
      after: t.arg({
        type: 'Cursor',
        required: false,
        description:
          'The last cursor that you have processed. Without it, the stream continues from what `acknowledgeChanges` has stored; that of a new consumer starts now.',
      }),
    },
    subscribe: async (_root, args, context) => {
      const key = requireKey(context, 'CHANGES')
      const { app } = context
      const { consumer } = parseArguments(z.object({ consumer: consumerName }), { consumer: args.consumer })
      const after = args.after == null ? null : parseCursor(args.after, 'after')
      if (!app.journal.isFollowing()) {
        throw new ParleyError('UNAVAILABLE', 'The journal cannot be read at the moment. Try again later.', {
          retryAfterMs: 1_000,
        })
      }
      return new EventSourceIterable(app.changes.open(app, await startOfChanges(key, consumer, after, app), key.tenant))
    },
    resolve: (event) => event,
  }),
)

const AcknowledgeChangesInput = builder.inputType('AcknowledgeChangesInput', {
  description: 'Input for `acknowledgeChanges`.',
  fields: (t) => ({
    consumer: t.string({ description: named }),
    cursor: t.field({ type: 'Cursor', description: 'The cursor up to which you have stored everything.' }),
  }),
})
const acknowledgeForm = z.object({ consumer: consumerName, cursor: z.string() })
const AcknowledgeChangesPayload = builder
  .objectRef<{ readonly changeConsumer: ConsumerRow }>('AcknowledgeChangesPayload')
  .implement({
    description: 'The result of `acknowledgeChanges`: the cursor is stored.',
    fields: (t) => ({
      changeConsumer: t.expose('changeConsumer', { type: ChangeConsumer, description: 'The consumer as it is now.' }),
    }),
  })
const DeleteChangeConsumerInput = builder.inputType('DeleteChangeConsumerInput', {
  description: 'Input for `deleteChangeConsumer`.',
  fields: (t) => ({ consumer: t.string({ description: named }) }),
})
const DeleteChangeConsumerPayload = builder.objectRef<{ readonly consumer: string }>('DeleteChangeConsumerPayload').implement({
  description: 'The result of `deleteChangeConsumer`.',
  fields: (t) => ({ consumer: t.exposeString('consumer', { description: 'The name of the deleted consumer.' }) }),
})

builder.mutationFields((t) => ({
  acknowledgeChanges: t.field({
    type: AcknowledgeChangesPayload,
    description:
      'Stores up to which cursor a consumer has stored everything: `changes` continues from there. It only moves forward: an older cursor changes nothing and succeeds. Acknowledge every second or every thousand events, not each one. Needs a server key with the scope CHANGES. Errors: BAD_INPUT, NOT_FOUND, CURSOR_REFUSED, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: AcknowledgeChangesInput, description: 'The consumer and the cursor.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'CHANGES')
      const { consumer, cursor } = parseInput(acknowledgeForm, input)
      return { changeConsumer: await acknowledgeChanges(key, consumer, parseCursor(cursor, 'input.cursor'), context.app) }
    },
  }),
  deleteChangeConsumer: t.field({
    type: DeleteChangeConsumerPayload,
    description:
      'Forgets a consumer that is no longer used. A new one of the same name starts now. Needs a server key with the scope CHANGES. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { input: t.arg({ type: DeleteChangeConsumerInput, description: 'The consumer to delete.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'CHANGES')
      const { consumer } = parseInput(z.object({ consumer: consumerName }), input)
      await audited(context, 'deleteChangeConsumer', [])
      await deleteConsumer(key, consumer, context.app)
      return { consumer }
    },
  }),
}))
