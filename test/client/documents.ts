// The operations of the client library's tests.

import { graphql } from '../support/generated/index.ts'

export const Line = graphql(`
  fragment Line on Message {
    __typename id seq version text clientMessageId deletedAt reactions { emoji count }
  }
`)
export const Lines = graphql(`
  query Lines($id: ID!) {
    conversation(id: $id) { __typename id messages(last: 50) { nodes { ...Line } pageInfo { hasNextPage } } }
  }
`)
export const LinesHere = graphql(`
  query LinesHere {
    syncCursor
  }
`)
export const LinesFollowed = graphql(`
  subscription LinesFollowed($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on SyncStarted { mode reason }
      ... on MessageSent { conversation { id } message { ...Line } }
      ... on MessageEdited { conversation { id } message { ...Line } }
      ... on MessageDeleted { conversation { id } message { ...Line } }
      ... on ReactionsChanged { conversation { id } message { ...Line } }
    }
  }
`)
export const EditIt = graphql(`
  mutation EditIt($input: EditMessageInput!) {
    editMessage(input: $input) { cursor }
  }
`)
export const DeleteIt = graphql(`
  mutation DeleteIt($input: DeleteMessageInput!) {
    deleteMessage(input: $input) { cursor }
  }
`)
export const ReactToIt = graphql(`
  mutation ReactToIt($input: AddReactionInput!) {
    addReaction(input: $input) { cursor }
  }
`)
export const UnreactToIt = graphql(`
  mutation UnreactToIt($input: RemoveReactionInput!) {
    removeReaction(input: $input) { cursor }
  }
`)
export const AcknowledgeIt = graphql(`
  mutation AcknowledgeIt($input: AcknowledgeInput!) {
    acknowledge(input: $input) { session { id } }
  }
`)
