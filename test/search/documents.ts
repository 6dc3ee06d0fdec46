// The operations of the tests of search.

import { graphql } from '../support/generated/index.ts'

export const MessagesAround = graphql(`
  query MessagesAround($id: ID!, $messageId: ID!, $before: Int, $after: Int) {
    conversation(id: $id) {
      messagesAround(messageId: $messageId, before: $before, after: $after) {
        edges { cursor node { id seq text } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`)
