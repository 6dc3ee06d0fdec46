// The schema of contacts and blocks.

import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, isBackend, requireViewer } from '../graphql/context.ts'
import { asHearer, factEvent, subjectOf } from '../graphql/event.ts'
import { pageCost } from '../graphql/page.ts'
import { cursorField } from '../graphql/payload.ts'
import { encodeId, parseId, type UserId, userIdOf } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import {
  type BlockRow,
  type ContactRow,
  countRequests,
  findContact,
  findOwnBlock,
  readBlocks,
  readContacts,
  readMessagePolicy,
  readRequests,
} from './access.ts'
import * as actions from './actions.ts'
import { contactKinds } from './events.ts'

const ContactState = builder.enumType('ContactState', {
  description: 'The state of a contact, as you see it.',
  values: {
    INCOMING: { description: 'The other person has asked you to be contacts.' },
    OUTGOING: { description: 'You have asked the other person to be contacts.' },
    ACCEPTED: { description: 'You are contacts.' },
  } as const,
})
const ContactRequestDirection = builder.enumType('ContactRequestDirection', {
  description: 'The direction of a contact request.',
  values: {
    INCOMING: { description: 'Requests that you received.' },
    OUTGOING: { description: 'Requests that you sent.' },
  } as const,
})
const MessagePolicy = builder.enumType('MessagePolicy', {
  description: 'Who may start a direct conversation with a user and add them to groups. Existing conversations are not affected.',
  values: {
    ANYONE: { description: 'Everyone, except users who are blocked.' },
    CONTACTS: { description: 'Only contacts.' },
    SHARED_CONVERSATION: { description: 'Contacts, and people who share a group with the user.' },
  } as const,
})

export const Contact = builder.objectRef<ContactRow>('Contact').implement({
  description: 'A contact, or a pending contact request, between you and another user. Visible only to the two of you.',
  fields: (t) => ({
    id: t.id({
      description: 'Identifies the other user, for caches. It cannot be passed to `node`.',
      resolve: ({ userId }) => `Contact:${encodeId('User', userId)}`,
    }),
    user: t.field({
      type: User,
      description: 'The other user.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    state: t.expose('state', {
      type: ContactState,
      description: 'Whether you are contacts, or which of you has sent a request.',
    }),
    requestedAt: t.expose('requestedAt', { type: 'DateTime', description: 'When the request was made.' }),
    acceptedAt: t.expose('acceptedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the request was accepted; null while it is pending.',
    }),
  }),
})

export const Block = builder.objectRef<BlockRow>('Block').implement({
  description: 'Your block of another user. Visible only to you.',
  fields: (t) => ({
    id: t.id({
      description: 'Identifies the user that you have blocked, for caches. It cannot be passed to `node`.',
      resolve: ({ userId }) => `Block:${encodeId('User', userId)}`,
    }),
    user: t.field({
      type: User,
      description: 'The user you have blocked.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    blockedAt: t.expose('blockedAt', { type: 'DateTime', description: 'When you blocked them.' }),
  }),
})

builder.objectFields(User, (t) => ({
  viewerContact: t.field({
    type: Contact,
    nullable: true,
    description: 'Your contact or pending contact request with this user; null if there is none.',
    resolve: ({ id }, _args, context) => (isBackend(context) ? null : findContact(context, id)),
  }),
  viewerHasBlocked: t.boolean({
    description: 'Whether you have blocked this user.',
    resolve: async ({ id }, _args, context) => !isBackend(context) && ((await findOwnBlock(context, id)) ?? false),
  }),
}))

builder.queryFields((t) => ({
  contacts: t.connection(
    {
      type: Contact,
      description: 'Your contacts, ordered by username.',
      complexity: pageCost,
      resolve: (_root, args, context) => readContacts(context, args),
    },
    { name: 'ContactConnection', description: 'A page of contacts.' },
    { name: 'ContactEdge', description: 'A contact on a page.' },
  ),
  contactRequests: t.connection(
    {
      type: Contact,
      description: 'Pending contact requests, newest first.',
      args: {
        direction: t.arg({
          type: ContactRequestDirection,
          description: 'Whether to list the requests that you received or those that you sent.',
        }),
      },
      complexity: pageCost,
      resolve: (_root, { direction, ...args }, context) => readRequests(context, direction === 'OUTGOING', args),
    },
    { name: 'ContactRequestConnection', description: 'A page of contact requests.' },
    { name: 'ContactRequestEdge', description: 'A contact request on a page.' },
  ),
  contactRequestCount: t.int({
    description: 'The number of pending contact requests, for a badge.',
    args: {
      direction: t.arg({
        type: ContactRequestDirection,
        required: false,
        defaultValue: 'INCOMING' as const,
        description: 'Whether to count the requests that you received or those that you sent.',
      }),
    },
    resolve: (_root, { direction }, context) => countRequests(context, direction === 'OUTGOING'),
  }),
  blockedUsers: t.connection(
    {
      type: Block,
      description: 'The users you have blocked, newest block first.',
      complexity: pageCost,
      resolve: (_root, args, context) => readBlocks(context, args),
    },
    { name: 'BlockConnection', description: 'A page of blocks.' },
    { name: 'BlockEdge', description: 'A block on a page.' },
  ),
  messagePolicy: t.field({
    type: MessagePolicy,
    description: 'Who may start a direct conversation with you and add you to groups.',
    resolve: (_root, _args, context) => readMessagePolicy(context),
  }),
}))

// ---- Mutations

/** Declares a mutation on another user: its input, payload and field. */
function aboutUser(
  name: string,
  description: string,
  inputDescription: string,
  act: (by: ReturnType<typeof requireViewer>, userId: UserId, app: Context['app']) => Promise<actions.DoneAbout>,
): void {
  const typeName = `${name.charAt(0).toUpperCase()}${name.slice(1)}`
  const input = builder.inputType(`${typeName}Input`, {
    description: `Input for \`${name}\`.`,
    fields: (t) => ({ userId: t.id({ description: 'The ID of the other user.' }) }),
  })
  const payload = builder.objectRef<actions.DoneAbout>(`${typeName}Payload`).implement({
    description: `The result of \`${name}\`.`,
    fields: (t) => ({
      user: t.field({
        type: User,
        description: 'The other user in their current state.',
        resolve: ({ userId }, _args, context) => requireUser(context, userId),
      }),
      cursor: cursorField(t),
    }),
  })
  builder.mutationField(name, (t) =>
    t.field({
      type: payload,
      description,
      args: { input: t.arg({ type: input, description: inputDescription }) },
      resolve: (_root, args, context) =>
        act(requireViewer(context), parseId('User', args.input.userId, 'input.userId'), context.app),
    }),
  )
}

aboutUser(
  'requestContact',
  'Asks a user to be your contact. If they have already asked you, it accepts their request. Errors: NOT_FOUND, BAD_INPUT, FORBIDDEN if one of you has blocked the other, LIMIT_EXCEEDED.',
  'The user to ask.',
  actions.requestContact,
)
aboutUser(
  'acceptContact',
  "Accepts a user's contact request. Errors: NOT_FOUND if there is none, BAD_INPUT.",
  'The user whose request to accept.',
  actions.acceptContact,
)
aboutUser(
  'declineContact',
  "Declines a user's contact request. Changes nothing if there is none, or if you have accepted it. Errors: NOT_FOUND, BAD_INPUT.",
  'The user whose request to decline.',
  actions.declineContact,
)
aboutUser(
  'removeContact',
  'Removes a contact, or withdraws your own request. Errors: NOT_FOUND, BAD_INPUT.',
  'The user to remove from your contacts.',
  actions.removeContact,
)
aboutUser(
  'blockUser',
  'Blocks a user: removes your contact and any requests between you, and closes your direct conversation for both of you. Earlier messages stay. The user is not told. Errors: NOT_FOUND, BAD_INPUT, LIMIT_EXCEEDED.',
  'The user to block.',
  actions.blockUser,
)
aboutUser(
  'unblockUser',
  'Removes your block of a user. Your direct conversation reopens unless they have blocked you too. Errors: NOT_FOUND, BAD_INPUT.',
  'The user to unblock.',
  actions.unblockUser,
)

const SetMessagePolicyInput = builder.inputType('SetMessagePolicyInput', {
  description: 'Input for `setMessagePolicy`.',
  fields: (t) => ({
    messagePolicy: t.field({
      type: MessagePolicy,
      description: 'Who may start a direct conversation with you and add you to groups.',
    }),
  }),
})
const SetMessagePolicyPayload = builder.objectRef<{ place: Place | null }>('SetMessagePolicyPayload').implement({
  description: 'The result of `setMessagePolicy`.',
  fields: (t) => ({
    messagePolicy: t.field({
      type: MessagePolicy,
      description: 'Your current policy.',
      resolve: (_done, _args, context) => readMessagePolicy(context),
    }),
    cursor: cursorField(t),
  }),
})
builder.mutationField('setMessagePolicy', (t) =>
  t.field({
    type: SetMessagePolicyPayload,
    description: 'Sets who may start a direct conversation with you and add you to groups. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetMessagePolicyInput, description: 'The policy to set.' }) },
    resolve: async (_root, { input }, context) => ({
      place: await actions.setMessagePolicy(requireViewer(context), input.messagePolicy, context.app),
    }),
  }),
)

// ---- Events

const ContactChanged = factEvent(
  contactKinds.ContactChanged,
  'The contact between you and another user has changed: it was requested, accepted, declined or removed. Sent to both of you.',
)
const BlockChanged = factEvent(
  contactKinds.BlockChanged,
  'You blocked or unblocked a user, on this or another device. Sent only to you.',
)
for (const ref of [ContactChanged, BlockChanged]) {
  builder.objectField(ref, 'user', (t) =>
    t.field({
      shared: true,
      type: User,
      description: 'The other user in their current state: read `viewerContact` and `viewerHasBlocked`.',
      resolve: (event, _args, context) => requireUser(context, userIdOf(subjectOf(event))),
    }),
  )
}
builder.objectField(
  factEvent(
    contactKinds.MessagePolicyChanged,
    'You changed who may start a direct conversation with you and add you to groups, on this or another device. Sent only to you.',
  ),
  'messagePolicy',
  (t) =>
    t.field({
      type: MessagePolicy,
      description: 'Your current policy.',
      resolve: (event, _args, context) => readMessagePolicy(asHearer(event, context)),
    }),
)
