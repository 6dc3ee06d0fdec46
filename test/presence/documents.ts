// The operations of the presence tests.

import { graphql } from '../support/generated/gql.ts'

export const Presence = graphql(`
  subscription Presence($userIds: [ID!]!) {
    presence(userIds: $userIds) { user { id username } state lastActiveAt }
  }
`)
export const LookAtPeople = graphql(`
  query LookAtPeople($ids: [ID!]!) {
    nodes(ids: $ids) { ... on User { id presence { state lastActiveAt } } }
  }
`)
export const MembersPresence = graphql(`
  query MembersPresence($id: ID!) {
    conversation(id: $id) { members(first: 100) { nodes { user { username presence { state } } } } }
  }
`)
export const Heartbeat = graphql(`
  mutation Heartbeat($input: HeartbeatInput) {
    heartbeat(input: $input) { onlineUntil state }
  }
`)
export const SetPresenceMode = graphql(`
  mutation SetPresenceMode($input: SetPresenceModeInput!) {
    setPresenceMode(input: $input) { presenceMode cursor }
  }
`)
export const SetLastActiveVisibility = graphql(`
  mutation SetLastActiveVisibility($input: SetLastActiveVisibilityInput!) {
    setLastActiveVisibility(input: $input) { lastActiveVisibility cursor }
  }
`)
export const DeviceStates = graphql(`
  query DeviceStates {
    sessions { id deviceName deviceKind lastUsedAt syncedUntil behindBy state isCurrent }
  }
`)
export const PresenceInEvents = graphql(`
  subscription PresenceInEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on MessageSent { message { text sender { presence { state } } } }
    }
  }
`)
export const SendSignal = graphql(`
  mutation SendSignal($input: SendSignalInput!) {
    sendSignal(input: $input) { sentAt }
  }
`)
export const Signals = graphql(`
  subscription Signals($conversationId: ID!) {
    signals(conversationId: $conversationId) { conversationId kind data sentAt sender { username } }
  }
`)
