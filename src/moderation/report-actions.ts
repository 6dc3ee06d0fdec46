// Makes and resolves reports. A report copies the reported message and those around it that its reporter sees, in the statement that
// makes it: what happens to them later does not matter.

import { type Moderator, requireAbove } from '../account/moderators.ts'
import { suspendUser } from '../account/operator-actions.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { encodeId, type MessageId, type ReportId, reportIdOf, type UserId } from '../id.ts'
import { removeMessage } from '../message/change-actions.ts'
import type { App } from '../parts.ts'
import { recordModeration } from '../platform/audit.ts'
import { statement } from '../store/reader.ts'
import { requireReport, subjectsOf } from './report-access.ts'
import { messagesAround, type ReportAction, type ReportRow } from './row.ts'

/** The most open reports of a user. */
export const openReportsMax = 100

const openReports = statement<{ open: number }>(
  'reports_open',
  'select count(*)::int as open from report where coalesce(reporter_id, 0) = $1 and resolved_at is null',
)
const onceOpen = 'on conflict (coalesce(reporter_id, 0), user_id, coalesce(message_id, 0)) where resolved_at is null'
const ofMessage = statement<{ id: number }>(
  'report_message',
  `with shown as (
     select m.* from message t join message m on m.conversation_id = t.conversation_id
      where t.id = $1 and m.seq between t.seq - ${messagesAround} and t.seq + ${messagesAround} and m.seq > $2),
   made as (
     insert into report(tenant, reporter_id, user_id, conversation_id, message_id, reason, created_at)
       select (select tenant from "user" where id = s.sender_id), $3, s.sender_id, s.conversation_id, s.id, $4, $5 from shown s
        where s.id = $1 and s.deleted_at is null
     ${onceOpen} do nothing returning id),
   copied as (
     insert into report_message(report_id, seq, message_id, sender_id, text, data, attachment_ids, created_at, edited_at, deleted_at, claimed_text)
       select made.id, s.seq, s.id, s.sender_id, s.text, s.data, coalesce(s.attachment_ids, '{}'), s.created_at, s.edited_at, s.deleted_at,
              (select c.text from unnest($6::bigint[], $7::text[]) c(id, text) where c.id = s.id and s.epoch is not null and s.deleted_at is null limit 1)
         from made, shown s)
   select id from made`,
)
const ofUser = statement<{ id: number }>(
  'report_user',
  `insert into report(tenant, reporter_id, user_id, reason, created_at)
     select u.tenant, $1, u.id, $3, $4 from "user" u where u.id = $2 ${onceOpen} do nothing returning id`,
)
const known = statement<{ id: number }>(
  'report_known',
  `select id from report where coalesce(reporter_id, 0) = $1 and user_id = $2 and coalesce(message_id, 0) = $3 and resolved_at is null`,
)

/** What an encrypted message says, by the device of its reporter. */
export type ClaimedText = { readonly messageId: MessageId; readonly text: string }

/** What is reported, and by which user; by a word rule, if that is null. */
type NewReport = { readonly reporterId: UserId | null; readonly userId: UserId; readonly reason: string }

/**
 * Reports a message with the messages around it. While the report is open, repeating it changes nothing.
 * @param visibleFromSeq the reporter sees messages with a greater `seq`
 * @param claimed texts of encrypted messages; those of others, and of messages that are not copied, are left out
 * @throws ParleyError MESSAGE_DELETED, LIMIT_EXCEEDED
 */
export async function reportMessage(
  report: NewReport & {
    readonly messageId: MessageId
    readonly visibleFromSeq: number
    readonly claimed?: readonly ClaimedText[]
  },
  app: App,
): Promise<ReportId> {
  const { reporterId, messageId, visibleFromSeq, reason, claimed = [] } = report
  const texts = [claimed.map((each) => each.messageId), claimed.map(({ text }) => text)]
  const values = [messageId, visibleFromSeq, reporterId, reason, new Date(app.clock.now()), ...texts]
  return onlyOnce(report, messageId, app, () => app.store.reader.rows(ofMessage, values))
}

/** Reports a user. While the report is open, repeating it changes nothing. @throws ParleyError LIMIT_EXCEEDED */
export async function reportUser(report: NewReport, app: App): Promise<ReportId> {
  const values = [report.reporterId, report.userId, report.reason, new Date(app.clock.now())]
  return onlyOnce(report, null, app, () => app.store.reader.rows(ofUser, values))
}

async function onlyOnce(
  { reporterId, userId }: NewReport,
  messageId: MessageId | null,
  { store }: App,
  make: () => Promise<{ id: number }[]>,
): Promise<ReportId> {
  const by = reporterId ?? 0
  const isKnown = async () => (await store.reader.rows(known, [by, userId, messageId ?? 0]))[0]
  const before = await isKnown()
  if (before) return reportIdOf(before.id)
  const [{ open } = { open: 0 }] = reporterId === null ? [] : await store.reader.rows(openReports, [by])
  if (open >= openReportsMax) {
    throw new ParleyError('LIMIT_EXCEEDED', `You can have at most ${openReportsMax} open reports. Moderators will look at them.`)
  }
  const found = (await make())[0] ?? (await isKnown())
  if (!found) throw new ParleyError('MESSAGE_DELETED', 'The message was deleted.')
  return reportIdOf(found.id)
}

/** What a moderator decides about a report. No actions dismiss it. */
export type ReportDecision = {
  readonly actions: readonly ReportAction[]
  /** For a suspension: until when (null: until it is lifted), and why, for the user to read. */
  readonly suspendedUntil: Date | null
  readonly suspensionReason: string | null
  /** For moderators alone. */
  readonly note: string | null
}

const resolve = statement<{ id: number }>(
  'report_resolve',
  `update report set resolved_at = $2, resolver_id = $3, actions = $4, note = $5
    where id = $1 and resolved_at is null returning id`,
)

/**
 * Decides about a report, and does it. If the server fails in between, the report is still open: repeat.
 * @throws ParleyError NOT_FOUND, BAD_INPUT, FORBIDDEN to suspend a user of the same or a higher role, VERSION_CONFLICT if it was resolved
 *   before, UNAVAILABLE
 */
export async function resolveReport(by: Moderator, id: ReportId, decision: ReportDecision, context: Context): Promise<ReportRow> {
  const { app } = context
  const report = await requireReport(by, context, id)
  const { actions, suspendedUntil: until, suspensionReason: reason, note } = decision
  if (report.resolvedAt) throw resolvedBefore()
  if (actions.includes('REMOVE_MESSAGE') && report.messageId === null) {
    throw badInput('input.actions', 'must not have REMOVE_MESSAGE: the report is about a user')
  }
  if (actions.includes('SUSPEND_USER')) await requireAbove(context, by, report.userId)
  await recordModeration(app, by, 'resolveReport', subjectsOf(report))
  if (actions.includes('REMOVE_MESSAGE') && report.messageId !== null) {
    await removeByOrder(by, report.messageId, app)
  }
  if (actions.includes('SUSPEND_USER')) {
    await recordModeration(app, by, 'suspendUser', [encodeId('User', report.userId), encodeId('Report', id)])
    await suspendUser(report.userId, { reason, until }, app)
  }
  const values = [id, new Date(app.clock.now()), by.userId, actions, note]
  if ((await app.store.reader.rows(resolve, values)).length === 0) throw resolvedBefore()
  return requireReport(by, { reader: app.store.reader }, id)
}

const resolvedBefore = () => new ParleyError('VERSION_CONFLICT', 'Another moderator has resolved this report.')

/** Removes a message for everyone, by order of a moderator. Removing it again changes nothing. @throws ParleyError NOT_FOUND, UNAVAILABLE */
export async function removeByOrder(by: Moderator, messageId: MessageId, app: App) {
  await recordModeration(app, by, 'removeMessage', [encodeId('Message', messageId)])
  return removeMessage(messageId, app)
}

const tenantOfMessage = statement<{ tenant: string | null }>(
  'moderated_message',
  'select c.tenant from message m join conversation c on c.id = m.conversation_id where m.id = $1',
)

/** The tenant of a message. @throws ParleyError NOT_FOUND */
export async function requireTenantOfMessage({ reader }: Context, messageId: MessageId): Promise<string | null> {
  const [found] = await reader.rows(tenantOfMessage, [messageId])
  if (!found) throw notFound('Message')
  return found.tenant
}
