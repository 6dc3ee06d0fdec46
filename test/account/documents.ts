// The operations of the account and contact tests.

import { graphql } from '../support/generated/index.ts'

export const Profile = graphql(`
  query Profile {
    viewer { id username displayName bio isDeleted }
    messagePolicy
  }
`)
export const SeeUser = graphql(`
  query SeeUser($id: ID!) {
    node(id: $id) { ... on User { username displayName bio viewerHasBlocked viewerContact { state } } }
  }
`)
export const UpdateProfile = graphql(`
  mutation UpdateProfile($input: UpdateProfileInput!) {
    updateProfile(input: $input) { viewer { displayName bio } cursor }
  }
`)
export const ChangeUsername = graphql(`
  mutation ChangeUsername($input: ChangeUsernameInput!) {
    changeUsername(input: $input) { viewer { username } cursor }
  }
`)
export const SearchUsers = graphql(`
  query SearchUsers($query: String!, $first: Int, $after: String, $last: Int, $before: String) {
    searchUsers(query: $query, first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { username } }
      pageInfo { hasNextPage hasPreviousPage endCursor startCursor }
    }
  }
`)
export const People = graphql(`
  query People {
    syncCursor
    contacts(first: 10) { nodes { state acceptedAt user { username } } }
    incoming: contactRequests(direction: INCOMING, first: 10) { nodes { state user { username } } }
    outgoing: contactRequests(direction: OUTGOING, first: 10) { nodes { state user { username } } }
    blockedUsers(first: 10) { nodes { blockedAt user { username viewerHasBlocked } } }
  }
`)
export const Contacts = graphql(`
  query Contacts($first: Int, $after: String, $last: Int, $before: String) {
    contacts(first: $first, after: $after, last: $last, before: $before) {
      nodes { user { username } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`)
export const RequestContact = graphql(`
  mutation RequestContact($input: RequestContactInput!) {
    requestContact(input: $input) { user { username viewerContact { state } } cursor }
  }
`)
export const AcceptContact = graphql(`
  mutation AcceptContact($input: AcceptContactInput!) {
    acceptContact(input: $input) { user { viewerContact { state } } cursor }
  }
`)
export const DeclineContact = graphql(`
  mutation DeclineContact($input: DeclineContactInput!) {
    declineContact(input: $input) { user { viewerContact { state } } cursor }
  }
`)
export const RemoveContact = graphql(`
  mutation RemoveContact($input: RemoveContactInput!) {
    removeContact(input: $input) { user { viewerContact { state } } cursor }
  }
`)
export const BlockUser = graphql(`
  mutation BlockUser($input: BlockUserInput!) {
    blockUser(input: $input) { user { viewerHasBlocked viewerContact { state } } cursor }
  }
`)
export const UnblockUser = graphql(`
  mutation UnblockUser($input: UnblockUserInput!) {
    unblockUser(input: $input) { user { viewerHasBlocked } cursor }
  }
`)
export const SetMessagePolicy = graphql(`
  mutation SetMessagePolicy($input: SetMessagePolicyInput!) {
    setMessagePolicy(input: $input) { messagePolicy cursor }
  }
`)
export const ChangePassword = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) { sessions { id } cursor }
  }
`)
export const DeleteAccount = graphql(`
  mutation DeleteAccount($input: DeleteAccountInput!) {
    deleteAccount(input: $input) { userId }
  }
`)
export const DirectState = graphql(`
  query DirectState($id: ID!) {
    conversation(id: $id) {
      isClosed
      memberCount
      members(first: 10) { nodes { role user { username displayName isDeleted } } }
      messages(last: 100) { nodes { text sender { username } } }
    }
  }
`)
export const Traces = graphql(`
  query Traces($direct: ID!, $group: ID!) {
    direct: conversation(id: $direct) { ...Traces }
    group: conversation(id: $group) { ...Traces }
  }
  fragment Traces on Conversation {
    readMarkers { user { username isDeleted } seq }
    messages(last: 10) {
      nodes { mentions { username isDeleted } reactions { emoji count users { username isDeleted } } }
    }
  }
`)
export const RevokeOtherSessions = graphql(`
  mutation RevokeOtherSessions {
    revokeOtherSessions { sessions { id } cursor }
  }
`)
export const FindUserBy = graphql(`
  query FindUserBy($username: String, $id: ID) {
    user(username: $username, id: $id) { id username }
  }
`)
export const RequestCounts = graphql(`
  query RequestCounts {
    incoming: contactRequestCount
    outgoing: contactRequestCount(direction: OUTGOING)
  }
`)
