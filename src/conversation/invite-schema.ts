// The schema of invites: links that people use to join a group.

import { z } from 'zod'
import { findPresentUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { parseInput, requireFuture } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { cursorField } from '../graphql/payload.ts'
import { conversationIdOf, parseId } from '../id.ts'
import { countMembers, findConversation, findOwnConversation } from './access.ts'
import { conversationKinds } from './events.ts'
import { findOpenInvite, findOwnInvite, type InviteRow, readInvites } from './invite-access.ts'
import { createInvite, type InviteDone, joinWithInvite, openInvitesMax, revokeInvite } from './invite-actions.ts'
import { conversationPayload } from './mutations.ts'
import { Conversation, requireConversation } from './schema.ts'

/** The highest limit that an invite may set on its uses. */
export const usesMax = 10_000

export const Invite = builder.objectRef<InviteRow>('Invite')
builder.node(Invite, {
  description: "A link that people use to join a group on their own. Visible only to members who may manage the group's invites.",
  id: { resolve: ({ id }) => String(id) },
  loadManyWithoutCache: (ids, context) => Promise.all(ids.map((id) => findOwnInvite(context, Number(id)))),
  fields: (t) => ({
    conversation: t.field({
      type: Conversation,
      description: 'The group that people join with this invite.',
      resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
    }),
    token: t.exposeString('token', {
      description: 'The secret to put into a link of your own app. Anyone who knows it can join while the invite is open.',
    }),
    createdBy: t.field({
      type: User,
      nullable: true,
      description: 'Who created the invite; null if the account was deleted.',
      resolve: ({ createdBy }, _args, context) => findPresentUser(context, createdBy),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the invite was created.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the invite expires; null if it does not expire.',
    }),
    maxUses: t.exposeInt('maxUses', {
      nullable: true,
      description: 'How many people can join with this invite; null if there is no limit.',
    }),
    uses: t.exposeInt('uses', { description: 'How many people have joined with this invite.' }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the invite was revoked; null if it was not.',
    }),
  }),
})

builder.objectField(Conversation, 'invites', (t) =>
  t.connection(
    {
      type: Invite,
      description:
        'The open invites of the group, oldest first: those that are not revoked, expired or used up. Empty if you may not manage them.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readInvites(context, id, args),
    },
    { name: 'InviteConnection', description: 'A page of invites.' },
    { name: 'InviteEdge', description: 'An invite on a page.' },
  ),
)

const InvitePreview = builder.objectRef<InviteRow>('InvitePreview').implement({
  description: 'What the holder of an open invite can see of the group before joining.',
  fields: (t) => ({
    title: t.string({
      nullable: true,
      description: 'The title of the group.',
      resolve: async ({ conversationId }, _args, context) => (await requireConversation(context, conversationId)).title,
    }),
    description: t.string({
      nullable: true,
      description: 'What the group is about; null if it has no description.',
      resolve: async ({ conversationId }, _args, context) =>
        (await findConversation(context, conversationId))?.description ?? null,
    }),
    memberCount: t.int({
      description: 'The number of members.',
      resolve: async ({ conversationId }, _args, context) => (await countMembers(context, conversationId)) ?? 0,
    }),
    conversation: t.field({
      type: Conversation,
      nullable: true,
      description: 'The group itself if you are already a member; null otherwise.',
      resolve: ({ conversationId }, _args, context) =>
        context.caller.viewer ? findOwnConversation(context, conversationId) : null,
    }),
  }),
})

builder.queryField('invite', (t) =>
  t.field({
    type: InvitePreview,
    nullable: true,
    description:
      'Previews the group that an open invite leads to; null if the invite is unknown, revoked, expired or used up. Needs no access token. Errors: RATE_LIMITED.',
    args: { token: t.arg.string({ description: 'The token from the invite link.' }) },
    resolve: (_root, { token }, context) => findOpenInvite(context, token),
  }),
)

// ---- Mutations

const CreateInviteInput = builder.inputType('CreateInviteInput', {
  description: 'Input for `createInvite`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the group.' }),
    expiresAt: t.field({
      type: 'DateTime',
      required: false,
      description: 'When the invite expires; must be in the future. Without it, the invite does not expire.',
    }),
    maxUses: t.int({
      required: false,
      description: `How many people can join with the invite: 1 to ${usesMax}. Without it, there is no limit.`,
    }),
  }),
})
const RevokeInviteInput = builder.inputType('RevokeInviteInput', {
  description: 'Input for `revokeInvite`.',
  fields: (t) => ({ inviteId: t.id({ description: 'The ID of the invite.' }) }),
})
const JoinWithInviteInput = builder.inputType('JoinWithInviteInput', {
  description: 'Input for `joinWithInvite`.',
  fields: (t) => ({ token: t.string({ description: 'The token from the invite link.' }) }),
})

/** Declares the payload of a mutation on an invite. */
function invitePayload(name: string, mutation: string) {
  return builder.objectRef<InviteDone>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      invite: t.field({
        type: Invite,
        description: 'The invite in its current state.',
        resolve: async ({ inviteId }, _args, context) => {
          const invite = await findOwnInvite(context, inviteId)
          if (!invite) throw notFound('Invite')
          return invite
        },
      }),
      cursor: cursorField(t),
    }),
  })
}

const uses = `must be between 1 and ${usesMax}`
const createForm = z.object({
  conversationId: z.string(),
  expiresAt: z.date().nullish(),
  maxUses: z.int().min(1, uses).max(usesMax, uses).nullish(),
})

builder.mutationFields((t) => ({
  createInvite: t.field({
    type: invitePayload('CreateInvitePayload', 'createInvite'),
    description: `Creates an invite to a group. A group can have at most ${openInvitesMax} open invites. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT, LIMIT_EXCEEDED.`,
    args: {
      input: t.arg({ type: CreateInviteInput, description: 'The group, and how long and how often the invite can be used.' }),
    },
    resolve: (_root, { input }, context) => {
      const { conversationId, expiresAt = null, maxUses = null } = parseInput(createForm, input)
      requireFuture('expiresAt', expiresAt, context.app.clock)
      const id = parseId('Conversation', conversationId, 'input.conversationId')
      return createInvite(requireViewer(context), id, { expiresAt, maxUses }, context.app)
    },
  }),
  revokeInvite: t.field({
    type: invitePayload('RevokeInvitePayload', 'revokeInvite'),
    description: 'Revokes an invite: nobody can join with it any more. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: RevokeInviteInput, description: 'The invite to revoke.' }) },
    resolve: (_root, { input }, context) =>
      revokeInvite(requireViewer(context), parseId('Invite', input.inviteId, 'input.inviteId'), context.app),
  }),
  joinWithInvite: t.field({
    type: conversationPayload('JoinWithInvitePayload', 'joinWithInvite'),
    description:
      'Joins a group with an open invite. If you are already a member, it returns the group and does not count as a use, so it is safe to retry. Errors: NOT_FOUND, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: JoinWithInviteInput, description: 'The invite to use.' }) },
    resolve: (_root, { input }, context) => joinWithInvite(requireViewer(context), input.token, context.app),
  }),
}))

const InvitesChanged = factEvent(
  conversationKinds.InvitesChanged,
  'The open invites of a group changed: one was created, revoked or used. Sent only to members who may manage them.',
)
builder.objectField(InvitesChanged, 'conversation', (t) =>
  t.field({
    shared: true,
    type: Conversation,
    description: 'The group. Read its `invites` again.',
    resolve: (event, _args, context) => requireConversation(context, conversationIdOf(subjectOf(event))),
  }),
)
