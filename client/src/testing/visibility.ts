// Who sees what: the rules of docs/protocol.md ("Who sees what").

import { requireViewer, type TestContext } from './test-context.ts'
import type { TestConversation, TestMember, TestMessage } from './world.ts'

/** The capabilities of a role. The server has the same table: docs/groups.md. */
const ofAdmins = [
  'ADD_MEMBERS',
  'REMOVE_MEMBERS',
  'EDIT',
  'MANAGE_INVITES',
  'DELETE_OTHERS',
  'CHANGE_ROLES',
  'PIN',
  'ANNOUNCE',
] as const
const capabilities = {
  OWNER: [...ofAdmins, 'HAND_OVER'],
  ADMIN: ofAdmins,
  MEMBER: [],
  DIRECT: ['PIN'],
} as const satisfies { readonly [role: string]: readonly string[] }

/** What only some members may do. */
export type TestCapability = (typeof capabilities)['OWNER'][number]

/** Whether a member may do something in a conversation. */
export function can(capability: TestCapability, { kind }: TestConversation, { role }: TestMember): boolean {
  const own: readonly string[] = capabilities[kind === 'DIRECT' ? 'DIRECT' : role]
  return own.includes(capability)
}

/** The viewer's membership of a conversation; null if they are not in it. */
export function membershipOf(context: TestContext, conversation: TestConversation): TestMember | null {
  return conversation.members.get(requireViewer(context).id) ?? null
}

/** The messages of a conversation that the viewer may see and has not hidden. */
export function visibleMessages(context: TestContext, conversation: TestConversation): readonly TestMessage[] {
  const member = membershipOf(context, conversation)
  return member ? conversation.messages.slice(member.hiddenSeq).filter(({ hiddenBy }) => !hiddenBy.has(member.userId)) : []
}

/**
 * How the viewer sees a message: as it is (`NOW`), as it was when they left (`THEN`), without its text because it was changed later
 * (`CHANGED`), or not at all (null).
 */
export function sightOf({ world, ...context }: TestContext, message: TestMessage): 'NOW' | 'THEN' | 'CHANGED' | null {
  const viewer = requireViewer({ world, ...context })
  const conversation = world.conversations.get(message.conversationId)
  const member = conversation?.members.get(viewer.id)
  if (member) return message.seq > member.hiddenSeq ? 'NOW' : null
  const departed = conversation?.departed.get(viewer.id)
  const isOwn = message.senderId === viewer.id
  if (!departed || (!isOwn && (message.seq <= departed.hiddenSeq || message.seq > departed.lastSeq))) return null
  return message.changedAt > departed.position ? 'CHANGED' : 'THEN'
}

/** What is unread for a member, with the bounds of the server. */
export function unreadOf(context: TestContext, conversation: TestConversation) {
  const member = membershipOf(context, conversation)
  if (!member || conversation.isClosed) return { count: 0, mentions: 0, isExact: true }
  const { userId } = member
  const unread = conversation.messages
    .slice(Math.max(member.readSeq, member.hiddenSeq))
    .filter(({ hiddenBy }) => !hiddenBy.has(userId))
    .filter(({ senderId, deletedAt }) => senderId !== userId && !deletedAt && !context.world.hasBlocked(userId, senderId))
  const mentions = unread.filter((message) => message.mentions.includes(userId)).length
  return {
    count: Math.min(unread.length, unreadMax),
    mentions: Math.min(mentions, unreadMax),
    isExact: unread.length <= unreadMax,
  }
}

const unreadMax = 1_000
