// The operations of the tests. Codegen makes the types in ./generated from them.

import { graphql } from './generated/index.ts'

export const SignUp = graphql(`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) { accessToken refreshToken expiresAt session { id deviceName } viewer { id username displayName } }
  }
`)
export const LogIn = graphql(`
  mutation LogIn($input: LogInInput!) {
    logIn(input: $input) { accessToken refreshToken expiresAt session { id deviceName } viewer { id username } }
  }
`)
export const RefreshSession = graphql(`
  mutation RefreshSession($input: RefreshSessionInput!) {
    refreshSession(input: $input) { accessToken refreshToken expiresAt session { id } viewer { id } }
  }
`)
export const RenewConnection = graphql(`
  mutation RenewConnection($input: RenewConnectionInput!) {
    renewConnection(input: $input) { expiresAt }
  }
`)
export const LogOut = graphql(`
  mutation LogOut {
    logOut { sessionId }
  }
`)
export const RevokeSession = graphql(`
  mutation RevokeSession($input: RevokeSessionInput!) {
    revokeSession(input: $input) { session { id revokedAt } }
  }
`)
export const Viewer = graphql(`
  query Viewer {
    viewer { id username displayName }
    sessions { id deviceName createdAt lastUsedAt expiresAt revokedAt isCurrent }
  }
`)
export const FindUser = graphql(`
  query FindUser($username: String!) {
    user(username: $username) { id username displayName createdAt }
  }
`)
export const StartDirectConversation = graphql(`
  mutation StartDirectConversation($input: StartDirectConversationInput!) {
    startDirectConversation(input: $input) { conversation { id kind title memberCount } cursor }
  }
`)
export const CreateGroup = graphql(`
  mutation CreateGroup($input: CreateGroupInput!) {
    createGroup(input: $input) { conversation { id kind title memberCount viewerMembership { role } } cursor }
  }
`)
export const AddMembers = graphql(`
  mutation AddMembers($input: AddMembersInput!) {
    addMembers(input: $input) { conversation { id memberCount } cursor }
  }
`)
export const RemoveMember = graphql(`
  mutation RemoveMember($input: RemoveMemberInput!) {
    removeMember(input: $input) { conversation { id memberCount } cursor }
  }
`)
export const LeaveConversation = graphql(`
  mutation LeaveConversation($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { conversation { id memberCount viewerMembership { role } } cursor }
  }
`)
export const SendMessage = graphql(`
  mutation SendMessage($input: SendMessageInput!) {
    sendMessage(input: $input) {
      message { id seq text clientMessageId createdAt sender { id username } conversation { id } }
      cursor
    }
  }
`)
export const OneConversation = graphql(`
  query OneConversation($id: ID!) {
    conversation(id: $id) {
      id kind title memberCount createdAt
      viewerMembership { role joinedAt }
      members(first: 100) { nodes { id role user { id username } } }
      lastMessage { id seq text }
    }
  }
`)
export const History = graphql(`
  query History($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    conversation(id: $id) {
      messages(first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { id seq text sender { username } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`)
export const Conversations = graphql(`
  query Conversations($first: Int, $after: String, $last: Int, $before: String) {
    conversations(first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { id title } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`)
export const Snapshot = graphql(`
  query Snapshot {
    syncCursor
    conversations(first: 20) {
      nodes {
        id
        title
        members(first: 50) { nodes { user { username } role } }
        messages(last: 100) { nodes { id seq text } }
      }
    }
  }
`)
export const Node = graphql(`
  query Node($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Message { text }
      ... on Conversation { title }
      ... on User { username }
      ... on Session { deviceName }
    }
  }
`)
export const Events = graphql(`
  subscription Events($after: Cursor, $conversationId: ID) {
    events(after: $after, conversationId: $conversationId) {
      __typename
      cursor
      occurredAt
      ... on SyncStarted { mode reason }
      ... on CaughtUp { count }
      ... on MessageSent { conversation { id } message { id seq text data clientMessageId sender { id username } conversation { id title } } }
      ... on ConversationAdded { conversation { id kind title } }
      ... on MemberJoined { conversation { id title } user { username } member { role } }
      ... on MemberLeft { conversation { id title memberCount } user { username } }
      ... on MemberUpdated { conversation { id } user { username } member { role } }
      ... on SessionRevoked { session { id deviceName } }
      ... on MessageEdited { message { id text version } }
      ... on MessageDeleted { message { id text deletedAt } }
      ... on ReactionsChanged { message { id } }
      ... on MessageHidden { message { id text } conversation { id title } }
      ... on DraftChanged { conversation { id draft { text savedAt } } }
      ... on MessageUnhidden { message { id text } conversation { id title } }
      ... on AttachmentChanged { conversation { id } message { id attachments { id state thumbhash url } } }
      ... on ReadMarkersMoved { conversation { id } markers { user { username } seq } }
      ... on DeliveryMarkersMoved { conversation { id } markers { user { username } seq } }
      ... on UserUpdated { user { id username displayName isDeleted } }
      ... on ContactChanged { user { username viewerContact { state } } }
      ... on BlockChanged { user { username viewerHasBlocked } }
      ... on MessagePolicyChanged { messagePolicy }
      ... on PresenceSettingsChanged { presenceMode lastActiveVisibility }
      ... on ConversationClosed { conversation { id isClosed } }
      ... on ConversationReopened { conversation { id isClosed } }
    }
  }
`)
export const SetTyping = graphql(`
  mutation SetTyping($input: SetTypingInput!) {
    setTyping(input: $input) { lapsesAt }
  }
`)
export const Typing = graphql(`
  subscription Typing($conversationId: ID!) {
    typing(conversationId: $conversationId) { conversationId users { username } }
  }
`)
export const Acknowledge = graphql(`
  mutation Acknowledge($input: AcknowledgeInput!) {
    acknowledge(input: $input) { session { id syncedUntil behindBy } }
  }
`)
export const Devices = graphql(`
  query Devices {
    sessions { id deviceName syncedUntil behindBy isCurrent }
  }
`)

export const Keys = graphql(`
  query Keys($id: ID!) {
    conversation(id: $id) { lastMessage { id clientMessageId } }
  }
`)
export const Reply = graphql(`
  query Reply($id: ID!) {
    node(id: $id) { ... on Message { replyTo { id text deletedAt } } }
  }
`)
export const Unread = graphql(`
  query Unread($id: ID!) {
    conversation(id: $id) { unreadCount unreadCountIsExact mentionCount }
  }
`)
