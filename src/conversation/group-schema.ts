// The schema of groups: their mutations, and the viewer's capabilities in a conversation.

import { z } from 'zod'
import { avatarChange } from '../attachment/avatar-actions.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { customData, customDataRule } from '../graphql/custom-data.ts'
import { line, parseInput, prose } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import { findMembership } from './access.ts'
import { type Capability, can } from './capabilities.ts'
import { addMembers, createGroup, leaveConversation, removeMember, setMemberRole, updateConversation } from './group-actions.ts'
import { conversationPayload as payload } from './mutations.ts'
import { Conversation, Encryption, HistoryVisibility, MemberRole } from './schema.ts'

/** The longest title of a group, in characters. */
export const titleMax = 120
/** The longest description of a group, in characters. */
export const descriptionMax = 1_000
const idsAtOnceMax = 1_000
/** The slowest slow mode, in seconds. */
const slowModeMaxS = 21_600

const viewerCan = {
  viewerCanAddMembers: ['ADD_MEMBERS', 'add members'],
  viewerCanRemoveMembers: ['REMOVE_MEMBERS', 'remove members other than the owner'],
  viewerCanEditConversation: ['EDIT_CONVERSATION', 'change the title, description and settings'],
  viewerCanManageInvites: ['MANAGE_INVITES', 'see, create and revoke invites'],
  viewerCanDeleteOthersMessages: ['DELETE_OTHERS_MESSAGES', "delete other people's messages"],
  viewerCanChangeRoles: ['CHANGE_ROLES', 'promote members to admin and demote admins'],
  viewerCanHandOver: ['HAND_OVER', 'hand the group over to another member'],
  viewerCanPin: ['PIN', 'pin messages'],
  viewerCanAnnounce: ['ANNOUNCE', 'write where only announcements are allowed, and without slow mode'],
} as const satisfies Record<string, readonly [Capability, string]>

for (const [name, [capability, what]] of Object.entries(viewerCan)) {
  builder.objectField(Conversation, name, (t) =>
    t.boolean({
      description: `Whether your role allows you to ${what}. False if you are not a member.`,
      resolve: async ({ id, kind }, _args, context) => {
        const membership = await findMembership(context, id)
        return membership !== null && can(capability, kind, membership.role)
      },
    }),
  )
}

const userIds = z.array(z.string()).max(idsAtOnceMax, `must have at most ${idsAtOnceMax} IDs`)
const visibility = z.enum(['ALL', 'SINCE_JOINING'])
const groupForm = z.object({
  title: line(titleMax),
  description: prose(descriptionMax).nullish(),
  historyVisibility: visibility.nullish(),
  memberIds: userIds,
  data: customData,
})
const updateForm = z.object({
  title: line(titleMax).nullish(),
  description: prose(descriptionMax).nullish(),
  historyVisibility: visibility.nullish(),
  slowModeS: z.int().min(0).max(slowModeMaxS, `must be between 0 and ${slowModeMaxS}`).nullish(),
  announcementsOnly: z.boolean().nullish(),
  data: customData,
})
const addForm = z.object({ conversationId: z.string(), userIds: userIds.min(1, 'must contain at least one ID') })

const parseUserIds = (ids: readonly string[], argument: string) => ids.map((id) => parseId('User', id, argument))
const parseConversationId = (id: string) => parseId('Conversation', id, 'input.conversationId')

const CreateGroupInput = builder.inputType('CreateGroupInput', {
  description: 'Input for `createGroup`.',
  fields: (t) => ({
    title: t.string({ description: `The title: 1 to ${titleMax} characters on one line.` }),
    description: t.string({
      required: false,
      description: `What the group is about: 1 to ${descriptionMax} characters, line breaks allowed.`,
    }),
    historyVisibility: t.field({
      type: HistoryVisibility,
      required: false,
      description: 'How much of the history later members see. Defaults to ALL.',
    }),
    memberIds: t.idList({ description: 'The IDs of the users to add besides yourself. Your own ID and duplicates are ignored.' }),
    data: t.field({ type: 'JSON', required: false, description: `Custom data of your app: ${customDataRule}.` }),
    encryption: t.field({
      type: Encryption,
      defaultValue: 'NONE',
      description: 'Whether devices encrypt what is said. Title, description and custom data stay in the clear.',
    }),
  }),
})
const UpdateConversationInput = builder.inputType('UpdateConversationInput', {
  description: 'Input for `updateConversation`. Fields that you omit stay unchanged.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the group.' }),
    title: t.string({
      required: false,
      description: `The new title: 1 to ${titleMax} characters on one line. Null leaves it unchanged.`,
    }),
    description: t.string({
      required: false,
      description: `The new description: 1 to ${descriptionMax} characters. Null removes it.`,
    }),
    historyVisibility: t.field({
      type: HistoryVisibility,
      required: false,
      description:
        'How much of the history new members see from now on; current members are not affected. Null leaves it unchanged.',
    }),
    data: t.field({
      type: 'JSON',
      required: false,
      description: `New custom data: ${customDataRule}. Null removes it.`,
    }),
    slowModeS: t.int({
      required: false,
      description: `How many seconds must pass between two messages of a member: 0 to ${slowModeMaxS}; 0 ends slow mode. Null leaves it unchanged.`,
    }),
    announcementsOnly: t.boolean({
      required: false,
      description: 'Whether only the owner and admins can write. Null leaves it unchanged.',
    }),
    avatarId: t.id({
      required: false,
      description:
        'The ID of an attachment that you have uploaded for this purpose. Null removes the picture. The file of the former one is deleted.',
    }),
  }),
})
const AddMembersInput = builder.inputType('AddMembersInput', {
  description: 'Input for `addMembers`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the group.' }),
    userIds: t.idList({ description: 'The IDs of the users to add. Users who are already members are ignored.' }),
  }),
})
const RemoveMemberInput = builder.inputType('RemoveMemberInput', {
  description: 'Input for `removeMember`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the group.' }),
    userId: t.id({ description: 'The ID of the member to remove.' }),
  }),
})
const SetMemberRoleInput = builder.inputType('SetMemberRoleInput', {
  description: 'Input for `setMemberRole`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the group.' }),
    userId: t.id({ description: 'The ID of the member. An admin may pass their own ID to step down.' }),
    role: t.field({
      type: MemberRole,
      description: 'The new role. OWNER hands the group over: the former owner becomes an admin.',
    }),
  }),
})
const LeaveConversationInput = builder.inputType('LeaveConversationInput', {
  description: 'Input for `leaveConversation`.',
  fields: (t) => ({ conversationId: t.id({ description: 'The ID of the group.' }) }),
})

builder.mutationFields((t) => ({
  createGroup: t.field({
    type: payload('CreateGroupPayload', 'createGroup'),
    description:
      'Creates a group that you own. Errors: NOT_FOUND, FORBIDDEN if a user does not accept messages from you (`argument` names them: `input.memberIds.0`), BAD_INPUT, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: CreateGroupInput, description: 'The group to create.' }) },
    resolve: (_root, { input }, context) => {
      const { title, description, historyVisibility, memberIds, data } = parseInput(groupForm, input)
      const settings = {
        title,
        description: description ?? null,
        historyVisibility: historyVisibility ?? 'ALL',
        data: data ?? null,
        encryption: input.encryption,
      }
      return createGroup(requireViewer(context), settings, parseUserIds(memberIds, 'input.memberIds'), context.app)
    },
  }),
  updateConversation: t.field({
    type: payload('UpdateConversationPayload', 'updateConversation'),
    description:
      'Changes the title, description, picture, custom data or settings of a group. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT, UPLOAD_INCOMPLETE, FILE_REFUSED, UNAVAILABLE.',
    args: { input: t.arg({ type: UpdateConversationInput, description: 'The group, and what to change.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const { title, description, historyVisibility, slowModeS, announcementsOnly, data } = parseInput(updateForm, input)
      const changes = {
        ...(slowModeS == null ? {} : { slowModeS }),
        ...(announcementsOnly == null ? {} : { announcementsOnly }),
        ...(title == null ? {} : { title }),
        ...(description === undefined ? {} : { description }),
        ...(historyVisibility == null ? {} : { historyVisibility }),
        ...(data === undefined ? {} : { data }),
        ...(await avatarChange(viewer, input.avatarId, context.app)),
      }
      return updateConversation(viewer, parseConversationId(input.conversationId), changes, context.app)
    },
  }),
  addMembers: t.field({
    type: payload('AddMembersPayload', 'addMembers'),
    description:
      'Adds users to a group: all of them or none. Errors: NOT_FOUND, FORBIDDEN if your role does not allow it, or if a user does not accept messages from you or has left the group (`argument` names them: `input.userIds.0`; send them an invite link instead), BAD_INPUT, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: AddMembersInput, description: 'The group, and the users to add.' }) },
    resolve: (_root, { input }, context) => {
      const form = parseInput(addForm, input)
      const conversationId = parseConversationId(form.conversationId)
      return addMembers(requireViewer(context), conversationId, parseUserIds(form.userIds, 'input.userIds'), context.app)
    },
  }),
  removeMember: t.field({
    type: payload('RemoveMemberPayload', 'removeMember'),
    description:
      'Removes a member from a group. The member receives the event of the removal, and no later events of the group. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: RemoveMemberInput, description: 'The group, and the member to remove.' }) },
    resolve: (_root, { input }, context) => {
      const userId = parseId('User', input.userId, 'input.userId')
      return removeMember(requireViewer(context), parseConversationId(input.conversationId), userId, context.app)
    },
  }),
  setMemberRole: t.field({
    type: payload('SetMemberRolePayload', 'setMemberRole'),
    description:
      'Changes the role of a member. The owner and admins can promote members to admin and demote admins; only the owner can hand over the group. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: SetMemberRoleInput, description: 'The group, the member and the new role.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseConversationId(input.conversationId)
      const userId = parseId('User', input.userId, 'input.userId')
      return setMemberRole(requireViewer(context), conversationId, userId, input.role, context.app)
    },
  }),
  leaveConversation: t.field({
    type: payload('LeaveConversationPayload', 'leaveConversation'),
    description:
      'Leaves a group. Nobody can add you back afterwards; you can return only with an invite link. If the owner leaves, the longest-standing admin becomes the owner, or the longest-standing member if there is no admin. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: LeaveConversationInput, description: 'The group to leave.' }) },
    resolve: (_root, { input }, context) =>
      leaveConversation(requireViewer(context), parseConversationId(input.conversationId), context.app),
  }),
}))
