// Reads reports. Moderators see what was reported, and the messages around it as they were then; each look at those is in the audit
// log before it is answered.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { isResponsibleFor, type Moderator } from '../account/moderators.ts'
import { notFound } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { type Page, readPage } from '../graphql/page.ts'
import { type AttachmentId, encodeId, type MessageId, type ReportId, type UserId } from '../id.ts'
import { recordModeration } from '../platform/audit.ts'
import { statement } from '../store/reader.ts'
import { type ReportRow, reportColumns } from './row.ts'

/** A copy of a message, as it was when it or a message near it was reported. */
export type ReportedMessageRow = {
  readonly messageId: MessageId
  readonly senderId: UserId
  readonly text: string
  /** Custom data as JSON text; null if there was none. */
  readonly data: string | null
  readonly attachmentIds: readonly AttachmentId[]
  readonly createdAt: Date
  readonly editedAt: Date | null
  readonly deletedAt: Date | null
  /** What an encrypted message says, by the device of the reporter; null if it told nothing. */
  readonly claimedText: string | null
}

const listed = `select ${reportColumns} from report
   where ($1::bigint is null or id > $1) and ($2::bigint is null or id < $2) and (resolved_at is not null) = $4
     and ($5::text is null or tenant = $5)`
const listing = {
  START: statement<ReportRow>('reports_forward', `${listed} order by id limit $3`),
  END: statement<ReportRow>('reports_backward', `${listed} order by id desc limit $3`),
}
const byId = statement<ReportRow>('report_by_id', `select ${reportColumns} from report where id = $1`)
const copies = statement<ReportedMessageRow>(
  'report_messages',
  `select message_id as "messageId", sender_id as "senderId", text, data::text as data, attachment_ids as "attachmentIds",
          created_at as "createdAt", edited_at as "editedAt", deleted_at as "deletedAt", claimed_text as "claimedText"
     from report_message where report_id = $1 order by seq`,
)

/** Reads a page of the reports that a moderator is responsible for, the oldest first: open ones, or resolved ones. */
export function readReports(
  by: Moderator,
  { reader }: Context,
  isResolved: boolean,
  args: DefaultConnectionArguments,
): Promise<Page<ReportRow>> {
  return readPage(
    args,
    ({ id }) => id,
    ({ after, before, from, limit }) => reader.rows(listing[from], [after, before, limit, isResolved, by.tenant]),
  )
}

/** Reads a report. @throws ParleyError NOT_FOUND, also for another tenant */
export async function requireReport(by: Moderator, { reader }: Pick<Context, 'reader'>, id: ReportId): Promise<ReportRow> {
  const [report] = await reader.rows(byId, [id])
  if (!report || !isResponsibleFor(by, report.tenant)) throw notFound('Report')
  return report
}

/** The global ids of what a report is about, itself first. */
export const subjectsOf = ({ id, userId, messageId }: ReportRow): string[] => [
  encodeId('Report', id),
  encodeId('User', userId),
  ...(messageId === null ? [] : [encodeId('Message', messageId)]),
]

/** Reads the messages of a report, in order, once the look is in the audit log. */
export async function readReportedMessages(
  by: Moderator,
  { app, reader }: Context,
  report: ReportRow,
): Promise<ReportedMessageRow[]> {
  await recordModeration(app, by, 'readReport', subjectsOf(report))
  return reader.rows(copies, [report.id])
}
