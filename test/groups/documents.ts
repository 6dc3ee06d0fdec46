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
