// Contacts and blocks in the schema.

import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { pageCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import {
  type BlockRow,
  type ContactRow,
  findContact,
  findOwnBlock,
  readBlocks,
  readContacts,
  readMessagePolicy,
  readRequests,
} from './access.ts'
import * as actions from './actions.ts'

const ContactState = builder.enumType('ContactState', {
  description: 'What is between you and somebody else.',
  values: {
    INCOMING: { description: 'They have asked you to be contacts.' },
    OUTGOING: { description: 'You have asked them.' },
    ACCEPTED: { description: 'You are contacts.' },
  } as const,
})
const ContactRequestDirection = builder.enumType('ContactRequestDirection', {
  description: 'Which requests are meant.',
  values: {
    INCOMING: { description: 'Those that you have received.' },
    OUTGOING: { description: 'Those that you have sent.' },
  } as const,
})
const MessagePolicy = builder.enumType('MessagePolicy', {
  description: 'Who may start a direct conversation with somebody. One that is there already goes on.',
  values: {
    ANYONE: { description: 'Everybody who is not blocked.' },
    CONTACTS: { description: 'Contacts only.' },
    SHARED_CONVERSATION: { description: 'Contacts, and people in a group with them.' },
  } as const,
})

export const Contact = builder.objectRef<ContactRow>('Contact').implement({
  description: 'You and somebody else: contacts, or on the way to it. Only the two see it.',
  fields: (t) => ({
    user: t.field({
      type: User,
      description: 'The other.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    state: t.expose('state', { type: ContactState, description: 'How far it is.' }),
    requestedAt: t.expose('requestedAt', { type: 'DateTime', description: 'When the one asked the other.' }),
    acceptedAt: t.expose('acceptedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when you are contacts; null while it is a request.',
    }),
  }),
})

export const Block = builder.objectRef<BlockRow>('Block').implement({
  description: 'Somebody whom you have blocked. Only you see it.',
  fields: (t) => ({
    user: t.field({ type: User, description: 'Whom.', resolve: ({ userId }, _args, context) => requireUser(context, userId) }),
    blockedAt: t.expose('blockedAt', { type: 'DateTime', description: 'Since when.' }),
  }),
})

builder.objectFields(User, (t) => ({
  viewerContact: t.field({
    type: Contact,
    nullable: true,
    description: 'What is between you and them: a contact, or a request; null for nothing.',
    resolve: ({ id }, _args, context) => findContact(context, id),
  }),
  viewerHasBlocked: t.boolean({
    description: 'Whether you have blocked them.',
    resolve: async ({ id }, _args, context) => (await findOwnBlock(context, id)) ?? false,
  }),
}))

builder.queryFields((t) => ({
  contacts: t.connection(
    {
      type: Contact,
      description: 'Your contacts, by username.',
      complexity: pageCost,
      resolve: (_root, args, context) => readContacts(context, args),
    },
    { name: 'ContactConnection', description: 'Contacts, by page.' },
    { name: 'ContactEdge', description: 'A contact in a page.' },
  ),
  contactRequests: t.connection(
    {
      type: Contact,
      description: 'Open requests to be contacts, the newest first.',
      args: { direction: t.arg({ type: ContactRequestDirection, description: 'Those that you received, or sent.' }) },
      complexity: pageCost,
      resolve: (_root, { direction, ...args }, context) => readRequests(context, direction === 'OUTGOING', args),
    },
    { name: 'ContactRequestConnection', description: 'Requests, by page.' },
    { name: 'ContactRequestEdge', description: 'A request in a page.' },
  ),
  blockedUsers: t.connection(
    {
      type: Block,
      description: 'The people whom you have blocked, the newest first.',
      complexity: pageCost,
      resolve: (_root, args, context) => readBlocks(context, args),
    },
    { name: 'BlockConnection', description: 'Blocked people, by page.' },
    { name: 'BlockEdge', description: 'A blocked person in a page.' },
  ),
  messagePolicy: t.field({
    type: MessagePolicy,
    description: 'Who may start a direct conversation with you.',
    resolve: (_root, _args, context) => readMessagePolicy(context),
  }),
}))

// ---- Mutations

/** Declares a mutation about another user: its input, its payload and its field. */
function aboutUser(
  name: string,
  description: string,
  act: (by: ReturnType<typeof requireViewer>, userId: number, app: Context['app']) => Promise<actions.DoneAbout>,
): void {
  const typeName = `${name.charAt(0).toUpperCase()}${name.slice(1)}`
  const input = builder.inputType(`${typeName}Input`, {
    description: `Whom \`${name}\` is about.`,
    fields: (t) => ({ userId: t.id({ description: 'The other person.' }) }),
  })
  const payload = builder.objectRef<actions.DoneAbout>(`${typeName}Payload`).implement({
    description: `The answer to \`${name}\`.`,
    fields: (t) => ({
      user: t.field({
        type: User,
        description: 'The other, as you see them now.',
        resolve: ({ userId }, _args, context) => requireUser(context, userId),
      }),
      cursor: t.field({
        type: 'Cursor',
        nullable: true,
        description: 'The place of the last fact that this caused; null where nothing had to change.',
        resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
      }),
    }),
  })
  builder.mutationField(name, (t) =>
    t.field({
      type: payload,
      description,
      args: { input: t.arg({ type: input, description: 'Whom.' }) },
      resolve: (_root, args, context) =>
        act(requireViewer(context), parseId('User', args.input.userId, 'input.userId'), context.app),
    }),
  )
}

aboutUser(
  'requestContact',
  'Asks somebody to be your contact; where they have asked you, it accepts. Errors: NOT_FOUND, BAD_INPUT, FORBIDDEN where one of you has blocked the other, LIMIT_EXCEEDED.',
  actions.requestContact,
)
aboutUser('acceptContact', "Accepts somebody's request. Errors: NOT_FOUND where there is none, BAD_INPUT.", actions.acceptContact)
aboutUser(
  'declineContact',
  "Declines somebody's request; where there is none, or you have accepted it, nothing changes. Errors: NOT_FOUND, BAD_INPUT.",
  actions.declineContact,
)
aboutUser('removeContact', 'Ends a contact, or takes your own request back. Errors: NOT_FOUND, BAD_INPUT.', actions.removeContact)
aboutUser(
  'blockUser',
  'Blocks somebody: ends your contact and requests between you, and closes your direct conversation, in both directions. What was written stays. Errors: NOT_FOUND, BAD_INPUT, LIMIT_EXCEEDED.',
  actions.blockUser,
)
aboutUser(
  'unblockUser',
  'Takes a block back. Your direct conversation goes on, unless they have blocked you. Errors: NOT_FOUND, BAD_INPUT.',
  actions.unblockUser,
)

const SetMessagePolicyInput = builder.inputType('SetMessagePolicyInput', {
  description: 'Who may write to you.',
  fields: (t) => ({
    messagePolicy: t.field({ type: MessagePolicy, description: 'Who may start a direct conversation with you.' }),
  }),
})
const SetMessagePolicyPayload = builder.objectRef<{ place: Place | null }>('SetMessagePolicyPayload').implement({
  description: 'The answer to `setMessagePolicy`.',
  fields: (t) => ({
    messagePolicy: t.field({
      type: MessagePolicy,
      description: 'The policy as it is now.',
      resolve: (_done, _args, context) => readMessagePolicy(context),
    }),
    cursor: t.field({
      type: 'Cursor',
      nullable: true,
      description: 'The place of the fact that this caused; null where it was so already.',
      resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
    }),
  }),
})
builder.mutationField('setMessagePolicy', (t) =>
  t.field({
    type: SetMessagePolicyPayload,
    description: 'Says who may start a direct conversation with you. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetMessagePolicyInput, description: 'Who.' }) },
    resolve: async (_root, { input }, context) => ({
      place: await actions.setMessagePolicy(requireViewer(context), input.messagePolicy, context.app),
    }),
  }),
)

// ---- Events

const ContactChanged = factEvent(
  'ContactChanged',
  'Something has changed between you and somebody: a request, a contact, its end.',
)
const BlockChanged = factEvent('BlockChanged', 'You have blocked or unblocked somebody; perhaps on another device.')
for (const ref of [ContactChanged, BlockChanged]) {
  builder.objectField(ref, 'user', (t) =>
    t.field({
      shared: true,
      type: User,
      description: 'The other, as you see them now: `viewerContact` and `viewerHasBlocked` say how it stands.',
      resolve: (event, _args, context) => requireUser(context, subjectOf(event)),
    }),
  )
}
builder.objectField(
  factEvent('MessagePolicyChanged', 'You have chosen who may write to you; perhaps on another device.'),
  'messagePolicy',
  (t) =>
    t.field({
      type: MessagePolicy,
      description: 'The policy as it is now.',
      resolve: (_event, _args, context) => readMessagePolicy(context),
    }),
)
