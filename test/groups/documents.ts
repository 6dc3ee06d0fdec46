// The operations of the tests of groups.

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
    }
  }
`)
