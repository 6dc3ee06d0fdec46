// Invites in the schema: links by which people join a group by themselves.

import { z } from 'zod'
import { findPresentUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { countMembers, findConversation, findOwnConversation } from '../conversation/access.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { future, parseInput } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import { findOpenInvite, findOwnInvite, type InviteRow, readInvites } from './access.ts'
import { createInvite, type InviteDone, joinWithInvite, openInvitesMax, revokeInvite } from './actions.ts'

/** How many uses an invite may be limited to. */
export const usesMax = 10_000

export const Invite = builder.objectRef<InviteRow>('Invite')
builder.node(Invite, {
  description: 'A link by which people join a group by themselves. Only those see it who manage the invites of the group.',
  id: { resolve: ({ id }) => String(id) },
  loadMany: (ids, context) => Promise.all(ids.map((id) => findOwnInvite(context, Number(id)))),
  fields: (t) => ({
    conversation: t.field({
      type: Conversation,
      description: 'Where it leads.',
      resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
    }),
    token: t.exposeString('token', {
      description: 'What the link holds: whoever knows it may join while the invite is open. Put it into a link of your own app.',
    }),
    createdBy: t.field({
      type: User,
      nullable: true,
      description: 'Who made it; null when the account is gone.',
      resolve: ({ createdBy }, _args, context) => findPresentUser(context, createdBy),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it stops letting people in; null where it does not by itself.',
    }),
    maxUses: t.exposeInt('maxUses', { nullable: true, description: 'How many may join with it; null for any number.' }),
    uses: t.exposeInt('uses', { description: 'How many have joined with it.' }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked; null where it was not.',
    }),
  }),
})

builder.objectField(Conversation, 'invites', (t) =>
  t.connection(
    {
      type: Invite,
      description:
        'Its open invites, the oldest first: those that are not revoked, expired or used up. None for somebody who does not manage them.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readInvites(context, id, args),
    },
    { name: 'InviteConnection', description: 'Invites, by page.' },
    { name: 'InviteEdge', description: 'An invite in a page.' },
  ),
)

const InvitePreview = builder.objectRef<InviteRow>('InvitePreview').implement({
  description: 'What somebody sees of a group who holds an open invite to it.',
  fields: (t) => ({
    title: t.string({
      nullable: true,
      description: 'The title of the group.',
      resolve: async ({ conversationId }, _args, context) => (await requireConversation(context, conversationId)).title,
    }),
    description: t.string({
      nullable: true,
      description: 'What it is for.',
      resolve: async ({ conversationId }, _args, context) =>
        (await findConversation(context, conversationId))?.description ?? null,
    }),
    memberCount: t.int({
      description: 'How many people are in it.',
      resolve: async ({ conversationId }, _args, context) => (await countMembers(context, conversationId)) ?? 0,
    }),
    conversation: t.field({
      type: Conversation,
      nullable: true,
      description: 'The group itself, for somebody who is in it already; null for others.',
      resolve: ({ conversationId }, _args, context) => findOwnConversation(context, conversationId),
    }),
  }),
})

builder.queryField('invite', (t) =>
  t.field({
    type: InvitePreview,
    nullable: true,
    description: 'What an open invite leads to; null for one that is unknown, revoked, expired or used up.',
    args: { token: t.arg.string({ description: 'What the link holds.' }) },
    resolve: (_root, { token }, context) => findOpenInvite(context, token),
  }),
)

// ---- Mutations

const CreateInviteInput = builder.inputType('CreateInviteInput', {
  description: 'A new invite.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The group.' }),
    expiresAt: t.field({
      type: 'DateTime',
      required: false,
      description: 'When it shall stop letting people in, a moment to come; without it, not by itself.',
    }),
    maxUses: t.int({ required: false, description: `How many may join with it, 1 to ${usesMax}; without it, any number.` }),
  }),
})
const RevokeInviteInput = builder.inputType('RevokeInviteInput', {
  description: 'An invite to revoke.',
  fields: (t) => ({ inviteId: t.id({ description: 'Which one.' }) }),
})
const JoinWithInviteInput = builder.inputType('JoinWithInviteInput', {
  description: 'An invite to join with.',
  fields: (t) => ({ token: t.string({ description: 'What the link holds.' }) }),
})

/** Declares the payload of a mutation on an invite. */
function invitePayload(name: string, mutation: string) {
  return builder.objectRef<InviteDone>(name).implement({
    description: `The answer to \`${mutation}\`.`,
    fields: (t) => ({
      invite: t.field({
        type: Invite,
        description: 'The invite as it is now.',
        resolve: async ({ inviteId }, _args, context) => {
          const invite = await findOwnInvite(context, inviteId)
          if (!invite) throw notFound('Invite')
          return invite
        },
      }),
      cursor: t.field({
        type: 'Cursor',
        nullable: true,
        description: 'The place of the last fact that this caused; null where nothing had to change.',
        resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
      }),
    }),
  })
}

const uses = `must be 1 to ${usesMax}`
const createForm = z.object({
  conversationId: z.string(),
  expiresAt: future.nullish(),
  maxUses: z.int().min(1, uses).max(usesMax, uses).nullish(),
})

builder.mutationFields((t) => ({
  createInvite: t.field({
    type: invitePayload('CreateInvitePayload', 'createInvite'),
    description: `Makes an invite to a group, which has at most ${openInvitesMax} open ones. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT, LIMIT_EXCEEDED.`,
    args: { input: t.arg({ type: CreateInviteInput, description: 'Where to, and for how many.' }) },
    resolve: (_root, { input }, context) => {
      const { conversationId, expiresAt = null, maxUses = null } = parseInput(createForm, input)
      const id = parseId('Conversation', conversationId, 'input.conversationId')
      return createInvite(requireViewer(context), id, { expiresAt, maxUses }, context.app)
    },
  }),
  revokeInvite: t.field({
    type: invitePayload('RevokeInvitePayload', 'revokeInvite'),
    description: 'Revokes an invite: nobody joins with it any more. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: RevokeInviteInput, description: 'Which one.' }) },
    resolve: (_root, { input }, context) =>
      revokeInvite(requireViewer(context), parseId('Invite', input.inviteId, 'input.inviteId'), context.app),
  }),
  joinWithInvite: t.field({
    type: conversationPayload('JoinWithInvitePayload', 'joinWithInvite'),
    description:
      'Joins a group by an open invite. Who is in it already finds it and uses nothing, so a repeat is safe. Errors: NOT_FOUND, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: JoinWithInviteInput, description: 'The invite.' }) },
    resolve: (_root, { input }, context) => joinWithInvite(requireViewer(context), input.token, context.app),
  }),
}))

const InvitesChanged = factEvent(
  'InvitesChanged',
  'The open invites of a group have changed: one was made, revoked or used. Comes to those who manage them.',
)
builder.objectField(InvitesChanged, 'conversation', (t) =>
  t.field({
    shared: true,
    type: Conversation,
    description: 'The group, whose `invites` are to be read anew.',
    resolve: (event, _args, context) => requireConversation(context, subjectOf(event)),
  }),
)
