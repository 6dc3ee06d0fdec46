// The operations of the page. Codegen makes the types in ./generated from them.

import { graphql } from './generated/index.ts'

export const LogIn = graphql(`
  mutation LogInHere($input: LogInInput!) {
    logIn(input: $input) { accessToken refreshToken expiresAt viewer { id } }
  }
`)
export const SignUp = graphql(`
  mutation SignUpHere($input: SignUpInput!) {
    signUp(input: $input) { accessToken refreshToken expiresAt viewer { id } }
  }
`)
export const MessageParts = graphql(`
  fragment MessageParts on Message {
    id seq version text clientMessageId createdAt editedAt deletedAt sender { id displayName }
  }
`)
export const ConversationParts = graphql(`
  fragment ConversationParts on Conversation {
    id kind title isClosed
    members(first: 4) { nodes { user { id username displayName } } }
    messages(last: 30) { nodes { ...MessageParts } pageInfo { hasNextPage } }
  }
`)
export const Overview = graphql(`
  query OverviewHere {
    syncCursor
    viewer { id username displayName }
    conversations(first: 40) { nodes { ...ConversationParts } }
  }
`)
export const OneConversation = graphql(`
  query OneConversationHere($id: ID!) {
    conversation(id: $id) { ...ConversationParts }
  }
`)
export const Events = graphql(`
  subscription EventsHere($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on SyncStarted { mode reason }
      ... on MessageSent { conversation { id } message { ...MessageParts } }
      ... on MessageEdited { conversation { id } message { ...MessageParts } }
      ... on MessageDeleted { conversation { id } message { ...MessageParts } }
      ... on ConversationAdded { conversation { id } }
      ... on ConversationUpdated { conversation { id title } }
      ... on MemberJoined { conversation { id } }
      ... on MemberLeft { conversation { id } user { id } }
      ... on ConversationClosed { conversation { id isClosed } }
      ... on ConversationReopened { conversation { id isClosed } }
    }
  }
`)
export const FindUser = graphql(`
  query FindUserHere($username: String!) {
    user(username: $username) { id }
  }
`)
export const StartDirectConversation = graphql(`
  mutation StartDirectConversationHere($input: StartDirectConversationInput!) {
    startDirectConversation(input: $input) { conversation { ...ConversationParts } }
  }
`)
export const MarkRead = graphql(`
  mutation MarkReadHere($input: MarkReadInput!) {
    markRead(input: $input) { conversation { id } }
  }
`)
export const SetTyping = graphql(`
  mutation SetTypingHere($input: SetTypingInput!) {
    setTyping(input: $input) { lapsesAt }
  }
`)
export const Typing = graphql(`
  subscription TypingHere($conversationId: ID!) {
    typing(conversationId: $conversationId) { users { displayName } }
  }
`)
