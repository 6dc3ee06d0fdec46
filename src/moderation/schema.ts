// The schema of reports. Only moderators see them.

import { findPresentUser } from '../account/access.ts'
import { type Moderator, readRole, requireModerator, roles, type UserRole } from '../account/moderators.ts'
import { User } from '../account/schema.ts'
import { findAttachment, shownToAll } from '../attachment/access.ts'
import { Attachment } from '../attachment/schema.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { readCustomData } from '../graphql/custom-data.ts'
import { pageCost } from '../graphql/page.ts'
import { encodeId, parseId } from '../id.ts'
import { type ReportedMessageRow, readReportedMessages, readReports, requireReport } from './report-access.ts'
import { keptDays, messagesAround, type ReportAction, type ReportRow, reportActions } from './row.ts'

const roleMeanings = {
  USER: 'Anybody.',
  MODERATOR: 'Resolves reports, removes reported messages, and suspends users.',
  ADMIN: 'What a moderator does, also against moderators; and reads the audit log.',
} as const

const UserRoleEnum = builder.enumType('UserRole', {
  description: 'What a user may do beyond their own conversations. Operators set it: `parley users role`.',
  values: Object.fromEntries(roles.map((name) => [name, { description: roleMeanings[name] }])) as Record<
    UserRole,
    { description: string }
  >,
})

builder.queryField('viewerRole', (t) =>
  t.field({
    type: UserRoleEnum,
    description: 'Your role, which decides whether an app shows you the pages of moderators.',
    resolve: async (_root, _args, context) => (await readRole(context, requireViewer(context).userId)).role,
  }),
)

const actionMeanings = {
  REMOVE_MESSAGE: 'The message was removed for everyone.',
  SUSPEND_USER: 'The user was suspended.',
} as const

export const ReportActionEnum = builder.enumType('ReportAction', {
  description: 'What a moderator does about a report.',
  values: Object.fromEntries(reportActions.map((name) => [name, { description: actionMeanings[name] }])) as Record<
    ReportAction,
    { description: string }
  >,
})

/** A report, for the moderator who reads it. */
export type ShownReport = ReportRow & { readonly by: Moderator }

type ShownCopy = ReportedMessageRow & { readonly report: ReportRow }
const ReportedMessage = builder.objectRef<ShownCopy>('ReportedMessage').implement({
  description: 'A copy of a message, as it was when it, or a message near it, was reported.',
  fields: (t) => ({
    messageId: t.id({ description: 'The ID of the message.', resolve: ({ messageId }) => encodeId('Message', messageId) }),
    isReported: t.boolean({
      description: 'Whether this is the message that was reported.',
      resolve: ({ messageId, report }) => messageId === report.messageId,
    }),
    sender: t.field({
      type: User,
      nullable: true,
      description: 'Who sent it; null if the account was deleted, and for a system message.',
      resolve: ({ senderId }, _args, context) => findPresentUser(context, senderId),
    }),
    text: t.exposeString('text', { description: 'The text; empty if the message was deleted before, or is encrypted.' }),
    claimedText: t.exposeString('claimedText', {
      nullable: true,
      description:
        'What an encrypted message says, as the device of the reporter has told it: the server cannot check that, and the reporter could have made it up. Null if the message is not encrypted, or the device told nothing.',
    }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The custom data of the app; null if there was none.',
      resolve: ({ data }) => readCustomData(data),
    }),
    attachments: t.field({
      type: [Attachment],
      description: 'The attachments whose files still exist. Files are not copied: they go with their message.',
      resolve: async ({ attachmentIds }, _args, context) => {
        const found = await Promise.all(attachmentIds.map((id) => findAttachment(context, id)))
        return found.flatMap((attachment) => (attachment ? [shownToAll(attachment)] : []))
      },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was sent.' }),
    editedAt: t.expose('editedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last edited before the report; null if never.',
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted before the report; null if it was not.',
    }),
  }),
})

export const Report = builder.objectRef<ShownReport>('Report').implement({
  description: `Something that was reported to the moderators. Visible to them alone, and removed after ${keptDays} days.`,
  fields: (t) => ({
    id: t.id({ description: 'The ID of the report.', resolve: ({ id }) => encodeId('Report', id) }),
    reason: t.exposeString('reason', { description: 'Why, in the words of the reporter.' }),
    reporter: t.field({
      type: User,
      nullable: true,
      description: 'Who reported it; null for a word rule of this server, or if the account was deleted.',
      resolve: ({ reporterId }, _args, context) => (reporterId === null ? null : findPresentUser(context, reporterId)),
    }),
    user: t.field({
      type: User,
      nullable: true,
      description: 'The reported user, who sent the reported message, if there is one; null if the account was deleted.',
      resolve: ({ userId }, _args, context) => findPresentUser(context, userId),
    }),
    messageId: t.id({
      nullable: true,
      description: 'The ID of the reported message; null if the user was reported.',
      resolve: ({ messageId }) => (messageId === null ? null : encodeId('Message', messageId)),
    }),
    conversationId: t.id({
      nullable: true,
      description:
        'The ID of the conversation of the reported message, which moderators cannot read; null if the user was reported.',
      resolve: ({ conversationId }) => (conversationId === null ? null : encodeId('Conversation', conversationId)),
    }),
    messages: t.field({
      type: [ReportedMessage],
      complexity: { field: 20, multiplier: 2 * messagesAround + 1 },
      description: `The reported message with up to ${messagesAround} before it and ${messagesAround} after it that the reporter saw, in order. Empty if the user was reported. Each look is in the audit log.`,
      resolve: async (report, _args, context) => {
        const copies = await readReportedMessages(report.by, context, report)
        return copies.map((copy) => ({ ...copy, report }))
      },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was reported.' }),
    resolvedAt: t.expose('resolvedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a moderator decided about it; null while it is open.',
    }),
    resolvedBy: t.field({
      type: User,
      nullable: true,
      description: 'The moderator who decided; null while it is open, and for a server key.',
      resolve: ({ resolverId }, _args, context) => (resolverId === null ? null : findPresentUser(context, resolverId)),
    }),
    actions: t.field({
      type: [ReportActionEnum],
      description: 'What the moderator did. Empty while it is open, and if it was dismissed.',
      resolve: ({ actions }) => [...actions],
    }),
    note: t.exposeString('note', { nullable: true, description: 'What the moderator noted; null for nothing.' }),
  }),
})

builder.queryField('reports', (t) =>
  t.connection(
    {
      type: Report,
      description:
        'The reports of your tenant, the oldest first. Only for moderators, and for server keys with the scope MODERATE. Errors: BAD_INPUT, FORBIDDEN.',
      complexity: pageCost,
      args: {
        isResolved: t.arg.boolean({
          required: false,
          description: 'True for reports that were resolved; otherwise those that are open.',
        }),
      },
      resolve: async (_root, { isResolved, ...args }, context) => {
        const by = await requireModerator(context)
        const { edges, pageInfo } = await readReports(by, context, isResolved ?? false, args)
        return { pageInfo, edges: edges.map(({ cursor, node }) => ({ cursor, node: { ...node, by } })) }
      },
    },
    { name: 'ReportConnection', description: 'A page of reports.' },
    { name: 'ReportEdge', description: 'A report on a page.' },
  ),
)

builder.queryField('report', (t) =>
  t.field({
    type: Report,
    description:
      'A report. Only for moderators, and for server keys with the scope MODERATE. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { id: t.arg.id({ description: 'The ID of the report.' }) },
    resolve: async (_root, { id }, context) => {
      const by = await requireModerator(context)
      return { ...(await requireReport(by, context, parseId('Report', id, 'id'))), by }
    },
  }),
)
