// The operations of the moderators' page.

import { graphql } from './generated/index.ts'

export const Reports = graphql(`
  query Reports($isResolved: Boolean, $first: Int, $after: String, $last: Int, $before: String) {
    reports(isResolved: $isResolved, first: $first, after: $after, last: $last, before: $before) {
      nodes { id reason createdAt messageId reporter { id displayName } user { id displayName username } }
      pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
    }
  }
`)
export const ReportWithMessages = graphql(`
  query ReportWithMessages($id: ID!) {
    report(id: $id) {
      id
      messageId
      resolvedAt
      actions
      note
      resolvedBy { id displayName }
      user { id displayName username }
      messages {
        messageId
        isReported
        text
        claimedText
        createdAt
        editedAt
        deletedAt
        sender { id displayName }
        attachments { id fileName url }
      }
    }
  }
`)
export const ResolveReport = graphql(`
  mutation ResolveReport($input: ResolveReportInput!) {
    resolveReport(input: $input) { report { id } }
  }
`)
export const SuspendUser = graphql(`
  mutation SuspendUser($input: SuspendUserInput!) {
    suspendUser(input: $input) { user { id } }
  }
`)
export const UnsuspendUser = graphql(`
  mutation UnsuspendUser($input: UnsuspendUserInput!) {
    unsuspendUser(input: $input) { user { id } }
  }
`)
export const AuditTrail = graphql(`
  query AuditTrail($subject: ID!) {
    auditLog(subject: $subject, last: 50) { nodes { at actor userId serverKeyId action } }
  }
`)
export const Names = graphql(`
  query Names($ids: [ID!]!) {
    nodes(ids: $ids) { __typename ... on User { id displayName } }
  }
`)
