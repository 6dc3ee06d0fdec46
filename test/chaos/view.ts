// What a snapshot shows of one conversation, and what an event is about, in words that device and judge have in common.

import type { BeginQuery, FollowedSubscription } from '../support/generated/graphql.ts'

/** One conversation as a snapshot shows it to one user. Lists are sorted; people and messages are named by their global ids. */
export type View = {
  /** The seq of the last message, null where none is seen. */
  readonly last: number | null
  readonly unread: number
  readonly pins: readonly string[]
  readonly roles: readonly string[]
  readonly markers: readonly string[]
  readonly visibility: string | null
  readonly isArchived: boolean
}

type Node = NonNullable<NonNullable<NonNullable<BeginQuery['conversations']['nodes']>[number]>>
type Event = FollowedSubscription['events']

/** What was answered about a conversation. */
export function viewOf(node: Node): View {
  return {
    last: node.lastMessage?.seq ?? null,
    unread: node.unreadCount,
    pins: node.pinnedMessages.map(({ id }) => id).sort(),
    roles: (node.members.nodes ?? []).flatMap((member) => (member ? [`${member.user.id} ${member.role}`] : [])).sort(),
    markers: node.readMarkers.map(({ user, seq }) => `${user.id} ${seq}`).sort(),
    visibility: node.historyVisibility ?? null,
    isArchived: node.viewerMembership?.archivedAt != null,
  }
}

/** How what was shown of one conversation differs from what is right; null where it does not. */
export function differenceOf(had: View | undefined, right: View | undefined): string | null {
  if (!had || !right) return had === right ? null : `is ${had ? 'shown' : 'not shown'}`
  const differences = (Object.keys(right) as (keyof View)[]).flatMap((key) => {
    const [a, b] = [JSON.stringify(had[key]), JSON.stringify(right[key])]
    return a === b ? [] : [`${key} ${a}, right is ${b}`]
  })
  return differences.length === 0 ? null : differences.join('; ')
}

/** What an event is about. */
export function subjectOf(event: Event): string {
  switch (event.__typename) {
    case 'MessageSent':
      return `${event.conversation.id} ${event.message.id} ${event.message.clientMessageId} ${event.message.sender?.id}`
    case 'MessageEdited':
    case 'MessageDeleted':
    case 'ReactionsChanged':
    case 'PinsChanged':
      return `${event.conversation.id} ${event.message.id}`
    case 'MemberJoined':
    case 'MemberLeft':
    case 'MemberUpdated':
      return `${event.conversation.id} ${event.user.id}`
    case 'ReadMarkersMoved':
      return `${event.conversation.id} ${event.markers.map(({ user, seq }) => `${user.id} ${seq}`).join(' ')}`
    case 'ConversationAdded':
    case 'ConversationUpdated':
    case 'InvitesChanged':
    case 'MembershipUpdated':
      return event.conversation.id
    default:
      return ''
  }
}
