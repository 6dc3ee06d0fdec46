// The operations of the chaos run, with just enough fields to tell facts apart.

import { graphql } from '../support/generated/index.ts'

export const ChaosSnapshot = graphql(`
  query ChaosSnapshot {
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
export const ChaosEvents = graphql(`
  subscription ChaosEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on SyncStarted { mode reason }
      ... on CaughtUp { count }
      ... on MessageSent { conversation { id } message { id version clientMessageId sender { id } } }
      ... on MessageEdited { conversation { id } message { id version } }
      ... on MessageDeleted { conversation { id } message { id version } }
      ... on ReactionsChanged { conversation { id } message { id version } }
      ... on ConversationAdded { conversation { id } }
      ... on MemberJoined { conversation { id } user { id } }
      ... on MemberLeft { conversation { id } user { id } }
      ... on ReadMarkersMoved { conversation { id } markers { user { id } seq } }
      ... on DeliveryMarkersMoved { conversation { id } markers { user { id } seq } }
      ... on EpochCommitted { conversation { id } epoch }
      ... on AttachmentChanged { conversation { id } message { id version } }
      ... on PinsChanged { conversation { id } message { id version } }
      ... on MessageHidden { message { id version } }
      ... on MessageUnhidden { message { id version } }
      ... on MemberUpdated { conversation { id } user { id } }
      ... on ConversationUpdated { conversation { id } }
      ... on InvitesChanged { conversation { id } }
      ... on MembershipUpdated { conversation { id } }
      ... on DraftChanged { conversation { id } }
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
export const Hide = graphql(`
  mutation Hide($input: HideMessageInput!) {
    hideMessage(input: $input) { cursor }
  }
`)
export const Unhide = graphql(`
  mutation Unhide($input: UnhideMessageInput!) {
    unhideMessage(input: $input) { cursor }
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
export const Archive = graphql(`
  mutation Archive($input: ArchiveConversationInput!) {
    archiveConversation(input: $input) { cursor }
  }
`)

/** The members of a group and their roles. */
export const MemberRoles = graphql(`
  fragment MemberRoles on Conversation {
    id
    members(first: 20) { nodes { user { id } role } }
  }
`)
export const GroupMembers = graphql(`
  query GroupMembers($id: ID!) {
    conversation(id: $id) { ...MemberRoles }
  }
`)
export const NewGroup = graphql(`
  mutation NewGroup($input: CreateGroupInput!) {
    createGroup(input: $input) { conversation { ...MemberRoles } cursor }
  }
`)
export const Add = graphql(`
  mutation Add($input: AddMembersInput!) {
    addMembers(input: $input) { conversation { ...MemberRoles } cursor }
  }
`)
export const Remove = graphql(`
  mutation Remove($input: RemoveMemberInput!) {
    removeMember(input: $input) { conversation { ...MemberRoles } cursor }
  }
`)
export const Leave = graphql(`
  mutation Leave($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { cursor }
  }
`)
export const SetRole = graphql(`
  mutation SetRole($input: SetMemberRoleInput!) {
    setMemberRole(input: $input) { conversation { ...MemberRoles } cursor }
  }
`)
export const SetVisibility = graphql(`
  mutation SetVisibility($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { ...MemberRoles } cursor }
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
export const JoinByInvite = graphql(`
  mutation JoinByInvite($input: JoinWithInviteInput!) {
    joinWithInvite(input: $input) { conversation { ...MemberRoles } cursor }
  }
`)

export const SentFiles = graphql(`
  query SentFiles($id: ID!) {
    node(id: $id) { ... on Message { deletedAt attachments { id state fileName url } } }
  }
`)
