// Reports as rows, and how long they are kept.

import type { ConversationId, MessageId, ReportId, UserId } from '../id.ts'

/** What a moderator may do about a report. */
export const reportActions = ['REMOVE_MESSAGE', 'SUSPEND_USER'] as const
/** One of them. */
export type ReportAction = (typeof reportActions)[number]

/** A report, without the copies of messages. */
export type ReportRow = {
  readonly id: ReportId
  readonly tenant: string | null
  /** Null: a word rule. */
  readonly reporterId: UserId | null
  readonly userId: UserId
  readonly conversationId: ConversationId | null
  readonly messageId: MessageId | null
  readonly reason: string
  readonly createdAt: Date
  readonly resolvedAt: Date | null
  readonly resolverId: UserId | null
  readonly actions: readonly ReportAction[]
  readonly note: string | null
}

/** The columns of a `ReportRow`. */
export const reportColumns = `id, tenant, reporter_id as "reporterId", user_id as "userId", conversation_id as "conversationId",
  message_id as "messageId", reason, created_at as "createdAt", resolved_at as "resolvedAt", resolver_id as "resolverId", actions, note`

/** How many messages on each side of the reported one are copied. */
export const messagesAround = 5

/** How long a report is kept with its copies, in milliseconds and in days. */
export const keptDays = 90
export const keptMs = keptDays * 86_400_000
