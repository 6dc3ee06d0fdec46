// The operations of the chaos run: small ones, with what tells one fact from another.

import { graphql } from '../support/generated/index.ts'

export const Begin = graphql(`
  query Begin {
    syncCursor
    conversations(first: 100) { nodes { id lastMessage { seq } } }
  }
`)
export const Followed = graphql(`
  subscription Followed($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on SyncStarted { mode reason }
      ... on CaughtUp { count }
      ... on MessageSent { conversation { id } message { id clientMessageId sender { id } } }
      ... on MessageEdited { conversation { id } message { id } }
      ... on MessageDeleted { conversation { id } message { id } }
      ... on ReactionsChanged { conversation { id } message { id } }
      ... on ConversationAdded { conversation { id } }
      ... on MemberJoined { conversation { id } user { id } }
      ... on MemberLeft { conversation { id } user { id } }
      ... on ReadMarkersMoved { conversation { id } }
    }
  }
`)
export const Send = graphql(`
  mutation Send($input: SendMessageInput!) {
    sendMessage(input: $input) { message { id seq } cursor }
  }
`)
export const Edit = graphql(`
  mutation Edit($input: EditMessageInput!) {
    editMessage(input: $input) { cursor }
  }
`)
export const Delete = graphql(`
  mutation Delete($input: DeleteMessageInput!) {
    deleteMessage(input: $input) { cursor }
  }
`)
export const React = graphql(`
  mutation React($input: AddReactionInput!) {
    addReaction(input: $input) { cursor }
  }
`)
export const Unreact = graphql(`
  mutation Unreact($input: RemoveReactionInput!) {
    removeReaction(input: $input) { cursor }
  }
`)
export const Read = graphql(`
  mutation Read($input: MarkReadInput!) {
    markRead(input: $input) { cursor }
  }
`)
export const Add = graphql(`
  mutation Add($input: AddMembersInput!) {
    addMembers(input: $input) { cursor }
  }
`)
export const Remove = graphql(`
  mutation Remove($input: RemoveMemberInput!) {
    removeMember(input: $input) { cursor }
  }
`)
export const Leave = graphql(`
  mutation Leave($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { cursor }
  }
`)
