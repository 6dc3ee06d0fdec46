// The operations of the chaos run: small ones, with what tells one fact from another.

import { graphql } from '../support/generated/index.ts'

export const Begin = graphql(`
  query Begin {
    syncCursor
    conversations(archived: null, first: 60) {
      nodes {
        id
        historyVisibility
        unreadCount
        lastMessage { seq }
        pinnedMessages { id }
        members(first: 20) { nodes { user { id } role } }
        readMarkers { user { id } seq }
        viewerMembership { archivedAt }
      }
      pageInfo { hasNextPage }
    }
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
      ... on ReadMarkersMoved { conversation { id } markers { user { id } seq } }
      ... on PinsChanged { conversation { id } message { id } }
      ... on MemberUpdated { conversation { id } user { id } }
      ... on ConversationUpdated { conversation { id } }
      ... on InvitesChanged { conversation { id } }
      ... on MembershipUpdated { conversation { id } }
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
export const Pin = graphql(`
  mutation Pin($input: PinMessageInput!) {
    pinMessage(input: $input) { cursor }
  }
`)
export const Unpin = graphql(`
  mutation Unpin($input: UnpinMessageInput!) {
    unpinMessage(input: $input) { cursor }
  }
`)
export const Put = graphql(`
  mutation Put($input: ArchiveConversationInput!) {
    archiveConversation(input: $input) { cursor }
  }
`)

/** Who is in a group, and what they are there: what people go by until they see it anew. */
export const Standing = graphql(`
  fragment Standing on Conversation {
    id
    members(first: 20) { nodes { user { id } role } }
  }
`)
export const LookAt = graphql(`
  query LookAt($id: ID!) {
    conversation(id: $id) { ...Standing }
  }
`)
export const Found = graphql(`
  mutation Found($input: CreateGroupInput!) {
    createGroup(input: $input) { conversation { ...Standing } cursor }
  }
`)
export const Add = graphql(`
  mutation Add($input: AddMembersInput!) {
    addMembers(input: $input) { conversation { ...Standing } cursor }
  }
`)
export const Remove = graphql(`
  mutation Remove($input: RemoveMemberInput!) {
    removeMember(input: $input) { conversation { ...Standing } cursor }
  }
`)
export const Leave = graphql(`
  mutation Leave($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { cursor }
  }
`)
export const GiveRole = graphql(`
  mutation GiveRole($input: SetMemberRoleInput!) {
    setMemberRole(input: $input) { conversation { ...Standing } cursor }
  }
`)
export const SetVisibility = graphql(`
  mutation SetVisibility($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { ...Standing } cursor }
  }
`)
export const Invite = graphql(`
  mutation Invite($input: CreateInviteInput!) {
    createInvite(input: $input) { invite { id token } cursor }
  }
`)
export const Revoke = graphql(`
  mutation Revoke($input: RevokeInviteInput!) {
    revokeInvite(input: $input) { cursor }
  }
`)
export const Enter = graphql(`
  mutation Enter($input: JoinWithInviteInput!) {
    joinWithInvite(input: $input) { conversation { ...Standing } cursor }
  }
`)
