// How devices and the checker describe a conversation in a snapshot and the subject of an event.

import type { ChaosEventsSubscription, ChaosSnapshotQuery } from '../support/generated/graphql.ts'

/** A conversation as a snapshot shows it to one user. Lists are sorted; users and messages appear by global id. */
export type ConversationView = {
  /** The seq of the last message; null if the user sees none. */
  readonly last: number | null
  readonly unread: number
  readonly pins: readonly string[]
  readonly roles: readonly string[]
  readonly markers: readonly string[]
  readonly visibility: string | null
  readonly isArchived: boolean
}

type ConversationNode = NonNullable<NonNullable<NonNullable<ChaosSnapshotQuery['conversations']['nodes']>[number]>>
type ChaosEvent = ChaosEventsSubscription['events']

/** The view in an answer. */
export function viewOf(node: ConversationNode): ConversationView {
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

/** How the shown view of a conversation differs from the expected one; null if it does not. */
export function differenceOf(shown: ConversationView | undefined, expected: ConversationView | undefined): string | null {
  if (!shown || !expected) return shown === expected ? null : `is ${shown ? 'shown' : 'not shown'}`
  const differences = (Object.keys(expected) as (keyof ConversationView)[]).flatMap((key) => {
    const [a, b] = [JSON.stringify(shown[key]), JSON.stringify(expected[key])]
    return a === b ? [] : [`${key} ${a}, expected ${b}`]
  })
  return differences.length === 0 ? null : differences.join('; ')
}

/** The subject of an event. */
export function subjectOf(event: ChaosEvent): string {
  switch (event.__typename) {
    case 'MessageSent':
      return `${event.conversation.id} ${event.message.id} ${event.message.clientMessageId} ${event.message.sender?.id}`
    case 'MessageEdited':
    case 'MessageDeleted':
    case 'ReactionsChanged':
    case 'PinsChanged':
    case 'AttachmentChanged':
      return `${event.conversation.id} ${event.message.id}`
    case 'MessageHidden':
    case 'MessageUnhidden':
      return event.message.id
    case 'MemberJoined':
    case 'MemberLeft':
    case 'MemberUpdated':
      return `${event.conversation.id} ${event.user.id}`
    case 'EpochCommitted':
      return `${event.conversation.id} ${event.epoch}`
    case 'DeliveryMarkersMoved':
    case 'ReadMarkersMoved':
      return `${event.conversation.id} ${event.markers.map(({ user, seq }) => `${user.id} ${seq}`).join(' ')}`
    case 'ConversationAdded':
    case 'ConversationUpdated':
    case 'InvitesChanged':
    case 'MembershipUpdated':
    case 'DraftChanged':
      return event.conversation.id
    default:
      return ''
  }
}

/** The version of the message in an event; undefined if the event has no message. */
export function versionOf(event: ChaosEvent): number | undefined {
  return 'message' in event ? event.message.version : undefined
}
