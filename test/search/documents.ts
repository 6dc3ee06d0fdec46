// The operations of the search tests.

import { graphql } from '../support/generated/index.ts'

export const SearchMessages = graphql(`
  query SearchMessages(
    $query: String!, $conversationId: ID, $senderId: ID, $since: DateTime, $until: DateTime,
    $first: Int, $after: String, $last: Int, $before: String
  ) {
    searchMessages(
      query: $query, conversationId: $conversationId, senderId: $senderId, since: $since, until: $until,
      first: $first, after: $after, last: $last, before: $before
    ) {
      edges { cursor highlights { start end } node { id text createdAt conversation { id } sender { id } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`)
export const MessagesAround = graphql(`
  query MessagesAround($id: ID!, $messageId: ID!, $before: Int, $after: Int) {
    conversation(id: $id) {
      messagesAround(messageId: $messageId, before: $before, after: $after) {
        edges { cursor highlights { start } node { id seq text } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`)
export const MessagesAt = graphql(`
  query MessagesAt($id: ID!, $messageId: ID, $seq: Int, $at: DateTime, $before: Int, $after: Int) {
    conversation(id: $id) {
      messagesAround(messageId: $messageId, seq: $seq, at: $at, before: $before, after: $after) { nodes { seq createdAt } }
    }
  }
`)
