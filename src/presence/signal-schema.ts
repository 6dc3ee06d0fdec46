// The schema of signals of apps.

import { z } from 'zod'
import { findPresentUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { refusalOf } from '../conversation/refusal.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { customData, readCustomData } from '../graphql/custom-data.ts'
import { parseInput } from '../graphql/input.ts'
import { type ConversationId, encodeId, parseId } from '../id.ts'
import { isInAudience } from './audience-access.ts'
import { latestOf } from './latest.ts'
import type { AppSignal } from './signal-service.ts'

/** The most bytes of a signal's data, as JSON, and the most signals that wait for a reader. */
const [dataBytesMax, waitingMax] = [1_024, 100]
const kindForm = /^[A-Za-z0-9._-]{1,50}$/

type ShownSignal = AppSignal & { readonly conversationId: ConversationId }
const Signal = builder.objectRef<ShownSignal>('Signal').implement({
  description: 'A signal of an app. It is not stored.',
  fields: (t) => ({
    conversationId: t.id({
      description: 'The ID of the conversation.',
      resolve: ({ conversationId }) => encodeId('Conversation', conversationId),
    }),
    sender: t.field({
      type: User,
      nullable: true,
      description: 'Who sent it; null if the account was deleted.',
      resolve: ({ senderId }, _args, context) => findPresentUser(context, senderId),
    }),
    kind: t.exposeString('kind', { description: 'What it is about, in the words of the app.' }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What the app says; null for nothing.',
      resolve: ({ data }) => readCustomData(data),
    }),
    sentAt: t.field({ type: 'DateTime', description: 'When it was sent.', resolve: ({ sentAt }) => new Date(sentAt) }),
  }),
})

const SendSignalInput = builder.inputType('SendSignalInput', {
  description: 'Input for `sendSignal`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation.' }),
    kind: t.string({ description: 'What it is about: 1 to 50 letters, digits, `.`, `_` or `-`, such as `call.offer`.' }),
    data: t.field({
      type: 'JSON',
      required: false,
      description: `What the app says: any JSON value of at most ${dataBytesMax} bytes, which Parley does not look into.`,
    }),
  }),
})
const signalForm = z.object({
  conversationId: z.string(),
  kind: z.string().regex(kindForm, 'must have 1 to 50 letters, digits, ".", "_" or "-"'),
  data: customData.refine(
    (text) => text == null || Buffer.byteLength(text) <= dataBytesMax,
    `must have at most ${dataBytesMax} bytes of JSON`,
  ),
})
const SendSignalPayload = builder.objectRef<{ readonly sentAt: Date }>('SendSignalPayload').implement({
  description: 'The result of `sendSignal`.',
  fields: (t) => ({
    sentAt: t.expose('sentAt', { type: 'DateTime', description: 'When it was sent. It may reach nobody.' }),
  }),
})

builder.mutationField('sendSignal', (t) =>
  t.field({
    type: SendSignalPayload,
    description:
      'Sends a signal to all devices that watch `signals` of a conversation at this moment, your others too, but not to this one. It is not stored and may be lost: what must arrive is a message. Counts as a signal. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { input: t.arg({ type: SendSignalInput, description: 'The conversation, and the signal.' }) },
    resolve: async (_root, { input }, context) => {
      const { userId: senderId, sessionId } = requireViewer(context)
      const { kind, data = null, ...form } = parseInput(signalForm, input)
      const conversationId = parseId('Conversation', form.conversationId, 'input.conversationId')
      if (!(await isInAudience(context, conversationId))) throw await refusalOf(senderId, { conversationId }, context.app)
      const sentAt = context.app.clock.now()
      context.app.signals.send(conversationId, { senderId, sessionId, kind, data, sentAt })
      return { sentAt: new Date(sentAt) }
    },
  }),
)

builder.subscriptionField('signals', (t) =>
  t.field({
    type: Signal,
    description: `Reports the signals of a conversation as they are sent, but for those of this device's session. A reader that does not keep up loses the oldest of more than ${waitingMax}. The subscription ends when you leave the conversation. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.`,
    args: { conversationId: t.arg.id({ description: 'The ID of the conversation.' }) },
    subscribe: async (_root, args, context) => {
      const { userId, sessionId } = requireViewer(context)
      const conversationId = parseId('Conversation', args.conversationId, 'conversationId')
      if (!(await isInAudience(context, conversationId))) throw await refusalOf(userId, { conversationId }, context.app)
      return latestOf<ShownSignal>(
        (signal) => signal,
        (show, end) =>
          context.app.signals.watch(conversationId, {
            userId,
            show(signal) {
              if (sessionId === null || signal.sessionId !== sessionId) show({ ...signal, conversationId })
            },
            end,
          }),
        waitingMax,
      )
    },
    resolve: (signal) => signal,
  }),
)
