// The operations of the tests of moderation.

import { graphql } from '../support/generated/index.ts'

export const ReportMessage = graphql(`
  mutation ReportMessage($input: ReportMessageInput!) {
    reportMessage(input: $input) { reportId }
  }
`)
export const ReportUser = graphql(`
  mutation ReportUser($input: ReportUserInput!) {
    reportUser(input: $input) { reportId }
  }
`)
export const ReportParts = graphql(`
  fragment ReportParts on Report {
    id
    reason
    reporter { id }
    user { id }
    messageId
    conversationId
    createdAt
    resolvedAt
    resolvedBy { id }
    actions
    note
  }
`)
export const Reports = graphql(`
  query Reports($isResolved: Boolean, $first: Int, $after: String) {
    reports(isResolved: $isResolved, first: $first, after: $after) {
      nodes { ...ReportParts }
      pageInfo { hasNextPage endCursor }
    }
  }
`)
export const ReportWithMessages = graphql(`
  query ReportWithMessages($id: ID!) {
    report(id: $id) {
      ...ReportParts
      messages {
        messageId isReported text claimedText data editedAt deletedAt
        sender { id }
        attachments { id fileName url }
      }
    }
  }
`)
export const ResolveReport = graphql(`
  mutation ResolveReport($input: ResolveReportInput!) {
    resolveReport(input: $input) { report { ...ReportParts } }
  }
`)
export const RemoveMessage = graphql(`
  mutation RemoveMessage($input: RemoveMessageInput!) {
    removeMessage(input: $input) { messageId }
  }
`)
export const AuditLog = graphql(`
  query AuditLog($subject: ID, $last: Int) {
    auditLog(subject: $subject, last: $last) { nodes { at actor serverKeyId userId action subjects } }
  }
`)
export const ViewerRole = graphql(`
  query ViewerRole { viewerRole }
`)
export const MessageById = graphql(`
  query ModeratedMessage($id: ID!) {
    node(id: $id) { ... on Message { text deletedAt } }
  }
`)
