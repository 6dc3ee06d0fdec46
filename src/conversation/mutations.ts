// What one does with conversations, in the schema, and what is heard of them.

import { z } from 'zod'
import { User } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { conversationOf, type FactEvent, factEvent, subjectOf } from '../graphql/event.ts'
import { line, parseInput } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import { findMember, findMembership } from './access.ts'
import { addMembers, createGroup, type Done, leaveConversation, removeMember, startDirectConversation } from './actions.ts'
import { Conversation, Member, requireConversation, requireUser } from './schema.ts'

/** The longest title of a group, in characters. */
export const titleMax = 120
const idsAtOnceMax = 1_000

const userIds = z.array(z.string()).max(idsAtOnceMax, `must have at most ${idsAtOnceMax} ids`)
const groupForm = z.object({ title: line(titleMax), memberIds: userIds })
const addForm = z.object({ conversationId: z.string(), userIds: userIds.min(1, 'must name somebody') })

const parseUserIds = (ids: readonly string[], argument: string) => ids.map((id) => parseId('User', id, argument))
const parseConversationId = (id: string) => parseId('Conversation', id, 'input.conversationId')

/** Declares the payload of a mutation on a conversation: the conversation as it is now, and the place of what was done. */
function payload(name: string, mutation: string) {
  return builder.objectRef<Done>(name).implement({
    description: `The answer to \`${mutation}\`.`,
    fields: (t) => ({
      conversation: t.field({
        type: Conversation,
        description: 'The conversation as it is now.',
        resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
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

const StartDirectConversationInput = builder.inputType('StartDirectConversationInput', {
  description: 'Whom to write to.',
  fields: (t) => ({ userId: t.id({ description: 'The other person.' }) }),
})
const CreateGroupInput = builder.inputType('CreateGroupInput', {
  description: 'A new group.',
  fields: (t) => ({
    title: t.string({ description: `1 to ${titleMax} characters, on one line.` }),
    memberIds: t.idList({ description: 'Who shall be in it beside yourself; yourself and repeats are passed over.' }),
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
const LeaveConversationInput = builder.inputType('LeaveConversationInput', {
  description: 'A group to leave.',
  fields: (t) => ({ conversationId: t.id({ description: 'The group.' }) }),
})

const payloads = {
  startDirectConversation: payload('StartDirectConversationPayload', 'startDirectConversation'),
  createGroup: payload('CreateGroupPayload', 'createGroup'),
  addMembers: payload('AddMembersPayload', 'addMembers'),
  removeMember: payload('RemoveMemberPayload', 'removeMember'),
  leaveConversation: payload('LeaveConversationPayload', 'leaveConversation'),
}

builder.mutationFields((t) => ({
  startDirectConversation: t.field({
    type: payloads.startDirectConversation,
    description:
      'Starts the direct conversation with somebody, or finds it where the pair has it already. Errors: NOT_FOUND, BAD_INPUT, FORBIDDEN where there is none yet and they do not let you reach them, or you have blocked them.',
    args: { input: t.arg({ type: StartDirectConversationInput, description: 'With whom.' }) },
    resolve: (_root, { input }, context) =>
      startDirectConversation(requireViewer(context), parseId('User', input.userId, 'input.userId'), context.app),
  }),
  createGroup: t.field({
    type: payloads.createGroup,
    description:
      'Creates a group that you own. Errors: NOT_FOUND, BAD_INPUT, FORBIDDEN where one of them has blocked you, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: CreateGroupInput, description: 'The group.' }) },
    resolve: (_root, { input }, context) => {
      const { title, memberIds } = parseInput(groupForm, input)
      return createGroup(requireViewer(context), title, parseUserIds(memberIds, 'input.memberIds'), context.app)
    },
  }),
  addMembers: t.field({
    type: payloads.addMembers,
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
    type: payloads.removeMember,
    description:
      'Removes somebody from a group; they hear their own removal, and nothing after it. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: RemoveMemberInput, description: 'Whom, and where.' }) },
    resolve: (_root, { input }, context) => {
      const userId = parseId('User', input.userId, 'input.userId')
      return removeMember(requireViewer(context), parseConversationId(input.conversationId), userId, context.app)
    },
  }),
  leaveConversation: t.field({
    type: payloads.leaveConversation,
    description:
      'Leaves a group. An owner hands it over to the admin, else the member, who has been in it longest. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: LeaveConversationInput, description: 'Which one.' }) },
    resolve: (_root, { input }, context) =>
      leaveConversation(requireViewer(context), parseConversationId(input.conversationId), context.app),
  }),
}))

// ---- Events

const aboutConversation = (event: FactEvent, context: Context) => requireConversation(context, conversationOf(event))

const ConversationAdded = factEvent('ConversationAdded', 'A conversation has appeared among yours. What happens in it follows.')
builder.objectField(ConversationAdded, 'conversation', (t) =>
  t.field({
    type: Conversation,
    description: 'The conversation.',
    resolve: (event, _args, context) => requireConversation(context, subjectOf(event)),
  }),
)

const MemberJoined = factEvent('MemberJoined', 'Somebody has joined a conversation; perhaps you.')
const MemberLeft = factEvent(
  'MemberLeft',
  'Somebody has left a conversation, or was removed; perhaps you: then it is the last you hear of it.',
)
const MemberUpdated = factEvent('MemberUpdated', "A member's role has changed.")
for (const ref of [MemberJoined, MemberLeft, MemberUpdated]) {
  builder.objectFields(ref, (t) => ({
    conversation: t.field({
      type: Conversation,
      description: 'Where.',
      resolve: (event, _args, context) => aboutConversation(event, context),
    }),
    user: t.field({
      type: User,
      description: 'Who.',
      resolve: (event, _args, context) => requireUser(context, subjectOf(event)),
    }),
  }))
}
const joinPayload = z.object({ seq: z.number().int() })
builder.objectField(MemberJoined, 'seq', (t) =>
  t.int({
    description:
      'The `seq` of the last message before the join, 0 for none: it is where the read marker of who joined stands at least.',
    resolve: ({ item }) => joinPayload.parse(item.fact.payload).seq,
  }),
)
for (const ref of [MemberJoined, MemberUpdated]) {
  builder.objectField(ref, 'member', (t) =>
    t.field({
      type: Member,
      nullable: true,
      description: 'The member as they are now; null when they have left since, or you have.',
      resolve: async (event, _args, context) => {
        const conversationId = conversationOf(event)
        return (await findMembership(context, conversationId)) && findMember(context, `${conversationId}:${subjectOf(event)}`)
      },
    }),
  )
}
