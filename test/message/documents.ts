// The operations of the message tests.

import { graphql } from '../support/generated/index.ts'

export const Reactors = graphql(`
  query Reactors($id: ID!, $first: Int, $after: String, $last: Int) {
    node(id: $id) {
      __typename
      ... on Message {
        reactions {
          id
          reactors(first: $first, after: $after, last: $last) {
            nodes { username }
            pageInfo { hasNextPage hasPreviousPage endCursor }
          }
        }
      }
    }
  }
`)
export const ViewerCanChange = graphql(`
  query ViewerCanChange($id: ID!) {
    node(id: $id) { ... on Message { viewerCanEdit viewerCanDelete } }
  }
`)
export const Totals = graphql(`
  query Totals {
    unreadTotals { conversations messages mentions }
  }
`)
export const ReadTimes = graphql(`
  query ReadTimes($id: ID!) {
    conversation(id: $id) { members { nodes { readAt user { username } } } readMarkers { id seq user { id } } }
  }
`)
export const DeliveredTo = graphql(`
  query DeliveredTo($id: ID!) {
    node(id: $id) { __typename ... on Message { deliveredTo { username } } }
  }
`)
export const Delivered = graphql(`
  query Delivered($id: ID!) {
    conversation(id: $id) {
      members { nodes { deliveredSeq user { username } } }
      messages(first: 50) { nodes { seq } }
    }
  }
`)
export const ForwardMessages = graphql(`
  mutation ForwardMessages($input: ForwardMessagesInput!) {
    forwardMessages(input: $input) {
      messages {
        id seq text data
        conversation { id }
        sender { id }
        mentions { id }
        replyTo { id }
      }
    }
  }
`)
export const Shown = graphql(`
  query Shown($id: ID!) {
    conversation(id: $id) {
      unreadCount
      mentionCount
      lastMessage { text }
      pinnedMessages { text }
      messages(first: 100) { nodes { text } }
    }
  }
`)
export const Drafted = graphql(`
  query Drafted($id: ID!) {
    conversation(id: $id) { draft { id text savedAt replyTo { id } } }
  }
`)
