// The operations of the conversation tests.

import { graphql } from '../support/generated/index.ts'

export const SetMemberRole = graphql(`
  mutation SetMemberRole($input: SetMemberRoleInput!) {
    setMemberRole(input: $input) { conversation { id viewerMembership { role } } cursor }
  }
`)
export const ViewerCan = graphql(`
  query ViewerCan($id: ID!) {
    node(id: $id) {
      ... on Conversation {
        viewerCanAddMembers
        viewerCanRemoveMembers
        viewerCanEditConversation
        viewerCanManageInvites
        viewerCanDeleteOthersMessages
        viewerCanChangeRoles
        viewerCanHandOver
        viewerCanPin
        viewerCanAnnounce
      }
    }
  }
`)
export const LeaveAndLook = graphql(`
  mutation LeaveAndLook($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { conversation { viewerCanAddMembers viewerCanHandOver viewerCanPin } }
  }
`)
export const UpdateConversation = graphql(`
  mutation UpdateConversation($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { id title description historyVisibility } cursor }
  }
`)
export const Settings = graphql(`
  query Settings($id: ID!) {
    node(id: $id) { ... on Conversation { title description historyVisibility } }
  }
`)
export const WhatOneSees = graphql(`
  query WhatOneSees($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    conversation(id: $id) {
      lastMessage { seq text }
      messages(first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { id seq text } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`)
export const CreateGroupWith = graphql(`
  mutation CreateGroupWith($input: CreateGroupInput!) {
    createGroup(input: $input) { conversation { id description historyVisibility } }
  }
`)
export const GroupEvents = graphql(`
  subscription GroupEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on ConversationUpdated { conversation { id title description historyVisibility } }
      ... on MessageSent { message { seq text } }
      ... on MemberJoined { user { username } }
      ... on MemberLeft { user { username } }
    }
  }
`)
export const CreateInvite = graphql(`
  mutation CreateInvite($input: CreateInviteInput!) {
    createInvite(input: $input) {
      invite { id token expiresAt maxUses uses revokedAt createdBy { username } conversation { id } }
      cursor
    }
  }
`)
export const RevokeInvite = graphql(`
  mutation RevokeInvite($input: RevokeInviteInput!) {
    revokeInvite(input: $input) { invite { id uses revokedAt } cursor }
  }
`)
export const JoinWithInvite = graphql(`
  mutation JoinWithInvite($input: JoinWithInviteInput!) {
    joinWithInvite(input: $input) { conversation { id title memberCount viewerMembership { role } } cursor }
  }
`)
export const PreviewInvite = graphql(`
  query PreviewInvite($token: String!) {
    invite(token: $token) { title description memberCount conversation { id } }
  }
`)
export const Invites = graphql(`
  query Invites($id: ID!, $first: Int, $last: Int) {
    conversation(id: $id) { invites(first: $first, last: $last) { nodes { id token uses } pageInfo { hasNextPage } } }
  }
`)
export const InviteById = graphql(`
  query InviteById($id: ID!) {
    node(id: $id) { ... on Invite { id token uses revokedAt } }
  }
`)
export const InviteEvents = graphql(`
  subscription InviteEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on InvitesChanged { conversation { id invites { nodes { uses } } } }
      ... on MemberJoined { user { username } member { role } }
      ... on ConversationAdded { conversation { id } }
    }
  }
`)
export const MuteConversation = graphql(`
  mutation MuteConversation($input: MuteConversationInput!) {
    muteConversation(input: $input) { conversation { id viewerMembership { mutedUntil archivedAt } } cursor }
  }
`)
export const ArchiveConversation = graphql(`
  mutation ArchiveConversation($input: ArchiveConversationInput!) {
    archiveConversation(input: $input) { conversation { id viewerMembership { mutedUntil archivedAt } } cursor }
  }
`)
export const OwnSettings = graphql(`
  query OwnSettings($id: ID!) {
    conversation(id: $id) {
      viewerMembership { id mutedUntil archivedAt }
      members(first: 10) { nodes { user { username } mutedUntil archivedAt } }
    }
  }
`)
export const MemberById = graphql(`
  query MemberById($id: ID!) {
    node(id: $id) { ... on Member { user { username } mutedUntil archivedAt } }
  }
`)
export const ConversationsBy = graphql(`
  query ConversationsBy($archived: Boolean, $first: Int, $after: String) {
    conversations(archived: $archived, first: $first, after: $after) { nodes { title } pageInfo { hasNextPage endCursor } }
  }
`)
export const PlainConversations = graphql(`
  query PlainConversations {
    conversations { nodes { title } }
  }
`)
export const MembershipEvents = graphql(`
  subscription MembershipEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on MembershipUpdated { conversation { id } member { user { username } mutedUntil archivedAt } }
      ... on ConversationAdded { conversation { id } }
    }
  }
`)
export const Look = graphql(`
  query Look($id: ID!) {
    node(id: $id) { ... on Message { replyTo { id } conversation { pinnedMessages { id } } } }
  }
`)

export const Withheld = graphql(`
  fragment Withheld on Message {
    id
    text
    data
    version
    editedAt
    deletedAt
    versions { text }
    reactions { emoji }
    mentions { id }
    conversation { title description }
  }
`)
export const HeardByLeaver = graphql(`
  subscription HeardByLeaver($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on MessageSent { message { ...Withheld } }
      ... on MessageEdited { message { ...Withheld } }
      ... on MessageDeleted { message { ...Withheld } }
      ... on ReactionsChanged { message { ...Withheld } }
      ... on PinsChanged { message { ...Withheld } }
      ... on ConversationAdded { conversation { title } }
      ... on ConversationUpdated { conversation { title } }
      ... on MembershipUpdated { conversation { title } }
      ... on MemberJoined { conversation { title } }
      ... on MemberLeft { conversation { title } user { id } }
      ... on ReadMarkersMoved { conversation { title } }
    }
  }
`)
export const SendAgain = graphql(`
  mutation SendAgain($input: SendMessageInput!) {
    sendMessage(input: $input) { message { ...Withheld } cursor }
  }
`)

export const AllOfMessage = graphql(`
  fragment AllOfMessage on Message {
    id
    text
    data
    version
    versions { text }
    reactions { emoji }
    pinnedAt
    replyTo { text }
    conversation { title description }
  }
`)
export const AllOfConversation = graphql(`
  fragment AllOfConversation on Conversation {
    title
    description
    lastMessage { text }
    messages(last: 5) { nodes { ...AllOfMessage } }
    pinnedMessages { text }
    members(first: 10) { nodes { role user { displayName } } }
    memberCount
    invites(first: 5) { nodes { token } }
  }
`)
export const AllByConversation = graphql(`
  query AllByConversation($conversation: ID!) {
    conversation(id: $conversation) { ...AllOfConversation }
  }
`)
export const AllAround = graphql(`
  query AllAround($conversation: ID!, $message: ID!) {
    conversation(id: $conversation) { messagesAround(messageId: $message) { nodes { text } } }
  }
`)
export const AllByNodes = graphql(`
  query AllByNodes($conversation: ID!, $message: ID!, $member: ID!) {
    nodes(ids: [$conversation, $message, $member]) {
      ... on Conversation { title description }
      ... on Message { ...AllOfMessage }
      ... on Member { role }
    }
  }
`)
export const AllByList = graphql(`
  query AllByList {
    conversations(first: 20) { nodes { title lastMessage { text } } }
  }
`)
export const AllBySearch = graphql(`
  query AllBySearch($conversation: ID!) {
    searchMessages(query: "original", conversationId: $conversation) { edges { node { text } } }
  }
`)
/** The fields of a message that all members share. */
export const SharedOfMessage = graphql(`
  fragment SharedOfMessage on Message {
    id
    text
    data
    versions { text }
    reactions { emoji }
    pinnedAt
    replyTo { text }
    conversation { title }
  }
`)
export const AllOfEvents = graphql(`
  subscription AllOfEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on MessageSent { message { ...SharedOfMessage } }
      ... on MessageEdited { message { ...SharedOfMessage } }
      ... on ReactionsChanged { message { ...SharedOfMessage } }
      ... on PinsChanged { message { ...SharedOfMessage } }
      ... on ConversationUpdated { conversation { title } }
      ... on MemberLeft { conversation { title } user { id } }
    }
  }
`)
export const ListOfConversations = graphql(`
  query ListOfConversations {
    conversations(first: 20) { nodes { id lastActivityAt otherUser { username } lastMessage { createdAt } } }
  }
`)
export const FindConversations = graphql(`
  query FindConversations($query: String!, $first: Int, $after: String, $last: Int) {
    conversations(query: $query, first: $first, after: $after, last: $last) {
      nodes { id title }
      pageInfo { hasNextPage endCursor }
    }
  }
`)
export const FindMembers = graphql(`
  query FindMembers($id: ID!, $query: String, $role: MemberRole) {
    conversation(id: $id) { members(query: $query, role: $role) { nodes { user { username } } } }
  }
`)
export const GroupsInCommon = graphql(`
  query GroupsInCommon($username: String!) {
    user(username: $username) { groupsInCommon(first: 10) { nodes { id } } }
  }
`)
export const BanMember = graphql(`
  mutation BanMember($input: BanMemberInput!) {
    banMember(input: $input) { conversation { id } cursor }
  }
`)
export const UnbanMember = graphql(`
  mutation UnbanMember($input: UnbanMemberInput!) {
    unbanMember(input: $input) { conversation { id } cursor }
  }
`)
export const Bans = graphql(`
  query Bans($id: ID!) {
    conversation(id: $id) { bans { nodes { user { id } bannedBy { id } bannedAt } } }
  }
`)
export const PostingRules = graphql(`
  query PostingRules($id: ID!) {
    conversation(id: $id) { slowModeS announcementsOnly viewerCanSend viewerCanAnnounce }
  }
`)
export const PinConversation = graphql(`
  mutation PinConversation($input: PinConversationInput!) {
    pinConversation(input: $input) { conversation { id viewerMembership { pinnedAt } } cursor }
  }
`)
export const MarkUnread = graphql(`
  mutation MarkUnread($input: MarkUnreadInput!) {
    markUnread(input: $input) { conversation { id unreadCount viewerMembership { markedUnreadAt } } cursor }
  }
`)
export const PinnedConversations = graphql(`
  query PinnedConversations($pinned: Boolean) {
    conversations(pinned: $pinned) { nodes { id } }
  }
`)
