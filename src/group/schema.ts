// Groups in the schema: the mutations that make and change them, and what the viewer may do in a conversation.

import { z } from 'zod'
import { findMembership } from '../conversation/access.ts'
import { type Capability, can } from '../conversation/capabilities.ts'
import { conversationPayload as payload } from '../conversation/mutations.ts'
import { Conversation, HistoryVisibility, MemberRole } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { line, parseInput, prose } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import { addMembers, createGroup, leaveConversation, removeMember, setMemberRole, updateConversation } from './actions.ts'

/** The longest title of a group, in characters. */
export const titleMax = 120
/** The longest description of a group, in characters. */
export const descriptionMax = 1_000
const idsAtOnceMax = 1_000

const viewerCan = {
  viewerCanAddMembers: ['ADD_MEMBERS', 'add people'],
  viewerCanRemoveMembers: ['REMOVE_MEMBERS', 'remove members other than the owner'],
  viewerCanEditConversation: ['EDIT_CONVERSATION', 'change its title, description and settings'],
  viewerCanManageInvites: ['MANAGE_INVITES', 'see, make and revoke invites'],
  viewerCanDeleteOthersMessages: ['DELETE_OTHERS_MESSAGES', 'delete messages of others'],
  viewerCanChangeRoles: ['CHANGE_ROLES', 'make members admins and unmake them'],
  viewerCanHandOver: ['HAND_OVER', 'make another member its owner'],
  viewerCanPin: ['PIN', 'pin messages'],
} as const satisfies Record<string, readonly [Capability, string]>

for (const [name, [capability, what]] of Object.entries(viewerCan)) {
  builder.objectField(Conversation, name, (t) =>
    t.boolean({
      description: `Whether your role lets you ${what}. False for somebody who is not in it.`,
      resolve: async ({ id, kind }, _args, context) => {
        const membership = await findMembership(context, id)
        return membership !== null && can(capability, kind, membership.role)
      },
    }),
  )
}

const userIds = z.array(z.string()).max(idsAtOnceMax, `must have at most ${idsAtOnceMax} ids`)
const visibility = z.enum(['ALL', 'SINCE_JOINING'])
const groupForm = z.object({
  title: line(titleMax),
  description: prose(descriptionMax).nullish(),
  historyVisibility: visibility.nullish(),
  memberIds: userIds,
})
const updateForm = z.object({
  title: line(titleMax).nullish(),
  description: prose(descriptionMax).nullish(),
  historyVisibility: visibility.nullish(),
})
const addForm = z.object({ conversationId: z.string(), userIds: userIds.min(1, 'must name somebody') })

const parseUserIds = (ids: readonly string[], argument: string) => ids.map((id) => parseId('User', id, argument))
const parseConversationId = (id: string) => parseId('Conversation', id, 'input.conversationId')

const CreateGroupInput = builder.inputType('CreateGroupInput', {
  description: 'A new group.',
  fields: (t) => ({
    title: t.string({ description: `1 to ${titleMax} characters, on one line.` }),
    description: t.string({
      required: false,
      description: `What it is for: 1 to ${descriptionMax} characters, on any number of lines.`,
    }),
    historyVisibility: t.field({
      type: HistoryVisibility,
      required: false,
      description: 'What those see who join later: all of it, where this is left out.',
    }),
    memberIds: t.idList({ description: 'Who shall be in it beside yourself; yourself and repeats are passed over.' }),
  }),
})
const UpdateConversationInput = builder.inputType('UpdateConversationInput', {
  description: 'What to change of a group. What is left out stays as it is.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The group.' }),
    title: t.string({ required: false, description: `1 to ${titleMax} characters, on one line; null leaves it as it is.` }),
    description: t.string({ required: false, description: `1 to ${descriptionMax} characters; null removes it.` }),
    historyVisibility: t.field({
      type: HistoryVisibility,
      required: false,
      description: 'What those see who join from now on; null leaves it as it is. Who is in the group keeps what they see.',
    }),
  }),
})
const AddMembersInput = builder.inputType('AddMembersInput', {
  description: 'People to add to a group.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The group.' }),
    userIds: t.idList({ description: 'Whom to add; who is in it already is passed over.' }),
  }),
})
const RemoveMemberInput = builder.inputType('RemoveMemberInput', {
  description: 'Somebody to remove from a group.',
  fields: (t) => ({ conversationId: t.id({ description: 'The group.' }), userId: t.id({ description: 'Whom to remove.' }) }),
})
const SetMemberRoleInput = builder.inputType('SetMemberRoleInput', {
  description: 'A role for a member of a group.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The group.' }),
    userId: t.id({ description: 'Which member. An admin may name themselves, to step down.' }),
    role: t.field({ type: MemberRole, description: 'OWNER hands the group over: its former owner becomes an admin.' }),
  }),
})
const LeaveConversationInput = builder.inputType('LeaveConversationInput', {
  description: 'A group to leave.',
  fields: (t) => ({ conversationId: t.id({ description: 'The group.' }) }),
})

builder.mutationFields((t) => ({
  createGroup: t.field({
    type: payload('CreateGroupPayload', 'createGroup'),
    description: 'Creates a group that you own. Errors: NOT_FOUND, BAD_INPUT, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: CreateGroupInput, description: 'The group.' }) },
    resolve: (_root, { input }, context) => {
      const { title, description, historyVisibility, memberIds } = parseInput(groupForm, input)
      const settings = { title, description: description ?? null, historyVisibility: historyVisibility ?? 'ALL' }
      return createGroup(requireViewer(context), settings, parseUserIds(memberIds, 'input.memberIds'), context.app)
    },
  }),
  updateConversation: t.field({
    type: payload('UpdateConversationPayload', 'updateConversation'),
    description: 'Changes the title, the description or the settings of a group. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: UpdateConversationInput, description: 'What, and of which group.' }) },
    resolve: (_root, { input }, context) => {
      const { title, description, historyVisibility } = parseInput(updateForm, input)
      const changes = {
        ...(title == null ? {} : { title }),
        ...(description === undefined ? {} : { description }),
        ...(historyVisibility == null ? {} : { historyVisibility }),
      }
      return updateConversation(requireViewer(context), parseConversationId(input.conversationId), changes, context.app)
    },
  }),
  addMembers: t.field({
    type: payload('AddMembersPayload', 'addMembers'),
    description:
      'Adds people to a group: all of them, or where that is refused nobody. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: AddMembersInput, description: 'Whom, and where.' }) },
    resolve: (_root, { input }, context) => {
      const form = parseInput(addForm, input)
      const conversationId = parseConversationId(form.conversationId)
      return addMembers(requireViewer(context), conversationId, parseUserIds(form.userIds, 'input.userIds'), context.app)
    },
  }),
  removeMember: t.field({
    type: payload('RemoveMemberPayload', 'removeMember'),
    description:
      'Removes somebody from a group; they hear their own removal, and nothing after it. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: RemoveMemberInput, description: 'Whom, and where.' }) },
    resolve: (_root, { input }, context) => {
      const userId = parseId('User', input.userId, 'input.userId')
      return removeMember(requireViewer(context), parseConversationId(input.conversationId), userId, context.app)
    },
  }),
  setMemberRole: t.field({
    type: payload('SetMemberRolePayload', 'setMemberRole'),
    description:
      'Gives a member of a group a role. Owners and admins make admins and unmake them; the owner alone hands the group over. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: SetMemberRoleInput, description: 'Which role, and whose.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseConversationId(input.conversationId)
      const userId = parseId('User', input.userId, 'input.userId')
      return setMemberRole(requireViewer(context), conversationId, userId, input.role, context.app)
    },
  }),
  leaveConversation: t.field({
    type: payload('LeaveConversationPayload', 'leaveConversation'),
    description:
      'Leaves a group. An owner hands it over to the admin, else the member, who has been in it longest. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: LeaveConversationInput, description: 'Which one.' }) },
    resolve: (_root, { input }, context) =>
      leaveConversation(requireViewer(context), parseConversationId(input.conversationId), context.app),
  }),
}))
