// The operations of the notification tests.

import { graphql } from '../support/generated/index.ts'

export const VapidPublicKey = graphql(`
  query VapidPublicKey {
    vapidPublicKey
  }
`)
export const RegisterPushSubscription = graphql(`
  mutation RegisterPushSubscription($input: RegisterPushSubscriptionInput!) {
    registerPushSubscription(input: $input) {
      session { id push { provider platform registeredAt sentAt failingSince } }
      cursor
    }
  }
`)
export const RegisterPushToken = graphql(`
  mutation RegisterPushToken($input: RegisterPushTokenInput!) {
    registerPushToken(input: $input) { session { id push { provider platform } } cursor }
  }
`)
export const UnregisterPush = graphql(`
  mutation UnregisterPush {
    unregisterPush { session { id push { provider } } cursor }
  }
`)
export const SetPushSettings = graphql(`
  mutation SetPushSettings($input: SetPushSettingsInput!) {
    setPushSettings(input: $input) {
      pushSettings {
        level
        showsText
        timeZone
        quietHours { days from until }
        quietExceptDirect
        quietExceptMentions
      }
      cursor
    }
  }
`)
export const SetConversationPushLevel = graphql(`
  mutation SetConversationPushLevel($input: SetConversationPushLevelInput!) {
    setConversationPushLevel(input: $input) { conversation { id viewerMembership { pushLevel } } cursor }
  }
`)
export const SendTestNotification = graphql(`
  mutation SendTestNotification {
    sendTestNotification { session { id } }
  }
`)
export const PushDecisions = graphql(`
  query PushDecisions($first: Int, $after: String) {
    pushDecisions(first: $first, after: $after) {
      edges {
        cursor
        node {
          message { id text }
          conversation { id }
          session { id }
          outcome
          reason
          decidedAt
          sentAt
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`)
export const PushDevices = graphql(`
  query PushDevices {
    sessions { id isCurrent push { provider platform sentAt failingSince } }
  }
`)
export const UnreadCounts = graphql(`
  query UnreadCounts {
    conversations(first: 100, archived: null) { nodes { id unreadCount mentionCount } }
  }
`)
