// The mutations of moderation: users report; moderators resolve, and remove messages by order.

import { z } from 'zod'
import { findFellow } from '../account/access.ts'
import { isResponsibleFor, requireAdmin, requireModerator } from '../account/moderators.ts'
import { findMembership } from '../conversation/access.ts'
import { badInput, notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { line, note, parseInput, perLimit, prose, requireFuture } from '../graphql/input.ts'
import { encodeId, type MessageId, parseId, type ReportId, systemId } from '../id.ts'
import { findOwnMessage } from '../message/access.ts'
import {
  openReportsMax,
  removeByOrder,
  reportMessage,
  reportUser,
  requireTenantOfMessage,
  resolveReport,
} from './report-actions.ts'
import { messagesAround, reportActions } from './row.ts'
import { Report, ReportActionEnum, type ShownReport } from './schema.ts'

/** The longest reason of a report, and the longest note about one; the longest reason of a suspension. */
const [reasonMax, suspensionReasonMax] = [1_000, 500]
const reasonRule = `Why, for the moderators to read: 1 to ${reasonMax} characters. Nobody else sees it.`

const ReportedTextInput = builder.inputType('ReportedTextInput', {
  description: 'What an encrypted message says.',
  fields: (t) => ({
    messageId: t.id({ description: 'The ID of the message.' }),
    text: t.string({ description: 'Its text: at most as long as that of a message (`limits.messageTextMax`).' }),
  }),
})
const ReportMessageInput = builder.inputType('ReportMessageInput', {
  description: 'Input for `reportMessage`.',
  fields: (t) => ({
    messageId: t.id({ description: 'The ID of a message that you see, of another user.' }),
    reason: t.string({ description: reasonRule }),
    texts: t.field({
      type: [ReportedTextInput],
      required: false,
      description: `In an encrypted conversation, what the messages say, as your device has decrypted them: the reported one, and up to ${messagesAround} on each side of it. Moderators read them as your claim. Of other messages they are left out.`,
    }),
  }),
})
const ReportUserInput = builder.inputType('ReportUserInput', {
  description: 'Input for `reportUser`.',
  fields: (t) => ({
    userId: t.id({ description: 'The ID of another user.' }),
    reason: t.string({ description: reasonRule }),
  }),
})
const reportForm = z.object({ reason: prose(reasonMax) })
const textsMax = 2 * messagesAround + 1
const claimedForm = perLimit((textMax) =>
  z.object({
    texts: z
      .array(z.object({ messageId: z.string(), text: note(textMax) }))
      .max(textsMax, `must have at most ${textsMax} texts`)
      .nullish(),
  }),
)

const reportPayload = (name: string, mutation: string) =>
  builder.objectRef<{ readonly id: ReportId }>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      reportId: t.id({
        description: 'The ID of the report, by which moderators find it. You cannot read it.',
        resolve: ({ id }) => encodeId('Report', id),
      }),
    }),
  })

const ResolveReportInput = builder.inputType('ResolveReportInput', {
  description: 'Input for `resolveReport`.',
  fields: (t) => ({
    reportId: t.id({ description: 'The ID of an open report.' }),
    actions: t.field({ type: [ReportActionEnum], description: 'What to do. An empty list dismisses the report.' }),
    suspendedUntil: t.field({
      type: 'DateTime',
      required: false,
      description: 'With SUSPEND_USER, when the suspension ends by itself. Null or omitted: when it is lifted.',
    }),
    suspensionReason: t.string({
      required: false,
      description: `With SUSPEND_USER, why, for the user to read at the next log-in: at most ${suspensionReasonMax} characters.`,
    }),
    note: t.string({ required: false, description: `A note for moderators alone: at most ${reasonMax} characters.` }),
  }),
})
const resolveForm = z.object({
  actions: z.array(z.enum(reportActions)).max(reportActions.length, 'must not name an action twice'),
  suspendedUntil: z.date().nullish(),
  suspensionReason: line(suspensionReasonMax).nullish(),
  note: prose(reasonMax).nullish(),
})
const ResolveReportPayload = builder.objectRef<{ readonly report: ShownReport }>('ResolveReportPayload').implement({
  description: 'The result of `resolveReport`.',
  fields: (t) => ({ report: t.expose('report', { type: Report, description: 'The report, which is resolved now.' }) }),
})

const RemoveMessageInput = builder.inputType('RemoveMessageInput', {
  description: 'Input for `removeMessage`.',
  fields: (t) => ({ messageId: t.id({ description: 'The ID of the message.' }) }),
})

const RemoveMessagePayload = builder.objectRef<{ readonly messageId: MessageId }>('RemoveMessagePayload').implement({
  description: 'The result of `removeMessage`.',
  fields: (t) => ({
    messageId: t.id({ description: 'The ID of the message.', resolve: ({ messageId }) => encodeId('Message', messageId) }),
  }),
})

const once = `While it is open, repeating it changes nothing. You can have at most ${openReportsMax} open reports.`

builder.mutationFields((t) => ({
  reportMessage: t.field({
    type: reportPayload('ReportMessagePayload', 'reportMessage'),
    description: `Reports a message to the moderators of this server, who get a copy of it and of a few messages around it that you see. Nobody else learns of it. ${once} Errors: BAD_INPUT, NOT_FOUND, MESSAGE_DELETED, LIMIT_EXCEEDED.`,
    args: { input: t.arg({ type: ReportMessageInput, description: 'The message, and why.' }) },
    resolve: async (_root, { input }, context) => {
      const { userId: reporterId } = requireViewer(context)
      const { reason } = parseInput(reportForm, input)
      const { texts } = parseInput(claimedForm(context.app.config.limits.messageTextMax), input)
      const messageId = parseId('Message', input.messageId, 'input.messageId')
      const claimed = (texts ?? []).map((each, i) => ({
        messageId: parseId('Message', each.messageId, `input.texts.${i}.messageId`),
        text: each.text,
      }))
      const message = await findOwnMessage(context, messageId)
      const membership = message && (await findMembership(context, message.conversationId))
      if (!message || !membership) throw notFound('Message')
      if (message.senderId === reporterId || message.senderId === systemId) {
        throw badInput('input.messageId', 'must be a message of another user')
      }
      const { visibleFromSeq } = membership
      const report = { reporterId, userId: message.senderId, messageId, visibleFromSeq, reason, claimed }
      const id = await reportMessage(report, context.app)
      return { id }
    },
  }),
  reportUser: t.field({
    type: reportPayload('ReportUserPayload', 'reportUser'),
    description: `Reports a user to the moderators of this server. Nobody else learns of it. ${once} Errors: BAD_INPUT, NOT_FOUND, LIMIT_EXCEEDED.`,
    args: { input: t.arg({ type: ReportUserInput, description: 'The user, and why.' }) },
    resolve: async (_root, { input }, context) => {
      const { userId: reporterId } = requireViewer(context)
      const { reason } = parseInput(reportForm, input)
      const userId = parseId('User', input.userId, 'input.userId')
      if (userId === reporterId) throw badInput('input.userId', 'must not be yourself')
      if (!(await findFellow(context, userId))) throw notFound('User')
      return { id: await reportUser({ reporterId, userId, reason }, context.app) }
    },
  }),
  resolveReport: t.field({
    type: ResolveReportPayload,
    complexity: 500,
    description:
      'Decides about an open report: removes the message, suspends the user, both, or neither. If it fails half-way, the report is still open: repeat. Only for moderators, against users of a lower role, and for server keys with the scope MODERATE. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, VERSION_CONFLICT if it is already resolved, UNAVAILABLE.',
    args: { input: t.arg({ type: ResolveReportInput, description: 'The report, and the decision.' }) },
    resolve: async (_root, { input }, context) => {
      const by = await requireModerator(context)
      const { actions, suspendedUntil = null, suspensionReason = null, note = null } = parseInput(resolveForm, input)
      requireFuture('suspendedUntil', suspendedUntil, context.app.clock)
      const id = parseId('Report', input.reportId, 'input.reportId')
      const decision = { actions: [...new Set(actions)], suspendedUntil, suspensionReason, note }
      return { report: { ...(await resolveReport(by, id, decision, context)), by } }
    },
  }),
  removeMessage: t.field({
    type: RemoveMessagePayload,
    description:
      'Removes a message for everyone by order, such as that of a court, without a report. Removing it again changes nothing. Only for administrators, and for server keys with the scope MODERATE. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: RemoveMessageInput, description: 'The message to remove.' }) },
    resolve: async (_root, { input }, context) => {
      const by = await requireAdmin(context)
      const messageId = parseId('Message', input.messageId, 'input.messageId')
      if (!isResponsibleFor(by, await requireTenantOfMessage(context, messageId))) throw notFound('Message')
      await removeByOrder(by, messageId, context.app)
      return { messageId }
    },
  }),
}))
