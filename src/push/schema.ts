// Notifications in the schema: what one wants of them, which devices have them, and what was decided.

import { findSession } from '../account/access.ts'
import { Session } from '../account/schema.ts'
import { findConversation } from '../conversation/access.ts'
import { Conversation, Member } from '../conversation/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { pageCost } from '../graphql/page.ts'
import { encodeId } from '../id.ts'
import { findOwnMessage } from '../message/access.ts'
import { Message } from '../message/schema.ts'
import { type DecisionRow, findLevel, findRegistration, type RegistrationRow, readDecisions, readSettings } from './access.ts'
import { skipReasons, type Wishes } from './decide.ts'
import { failReasons } from './deliveries.ts'
import { type QuietSpan, weekdays } from './quiet-hours.ts'

export const PushLevel = builder.enumType('PushLevel', {
  description: 'What somebody wants to be notified of.',
  values: {
    ALL: { description: 'Every message.' },
    MENTIONS: {
      description: 'Messages that mention you; as the level of your account, also those of direct conversations.',
    },
    NONE: { description: 'Nothing.' },
  } as const,
})
export const Weekday = builder.enumType('Weekday', {
  description: 'A day of the week.',
  values: Object.fromEntries(weekdays.map((day) => [day, { description: `${day[0]}${day.slice(1).toLowerCase()}.` }])) as {
    [Day in (typeof weekdays)[number]]: { description: string }
  },
})
const PushProvider = builder.enumType('PushProvider', {
  description: 'By what way notifications reach a device.',
  values: {
    WEB_PUSH: { description: 'Web Push: the push service of the browser.' },
    WEBHOOK: { description: 'Whatever stands behind the webhook of this server: push services of phones, e-mail.' },
  } as const,
})
const PushOutcome = builder.enumType('PushOutcome', {
  description: 'What became of a notification.',
  values: {
    QUEUED: { description: 'It is on its way, or waits to be tried again.' },
    SENT: { description: 'The push service has taken it.' },
    SKIPPED: { description: 'It was not sent; `reason` says why.' },
    FAILED: { description: 'It could not be sent; `reason` says why.' },
  } as const,
})
const reasons = { ...skipReasons, ...failReasons }
const PushReason = builder.enumType('PushReason', {
  description: 'Why a notification was skipped, or failed.',
  values: Object.fromEntries(Object.entries(reasons).map(([name, description]) => [name, { description }])) as {
    [Name in keyof typeof reasons]: { description: string }
  },
})

const QuietHours = builder.objectRef<QuietSpan>('QuietHours').implement({
  description: 'A span of time in which you want no notifications.',
  fields: (t) => ({
    days: t.field({ type: [Weekday], description: 'On which days it begins.', resolve: ({ days }) => [...days] }),
    from: t.exposeString('from', { description: 'When it begins: `22:00`.' }),
    until: t.exposeString('until', { description: 'When it ends; where that is not later than `from`, on the next day.' }),
  }),
})
export const PushSettings = builder.objectRef<Wishes>('PushSettings').implement({
  description: 'What you want of notifications. Only you see it.',
  fields: (t) => ({
    level: t.expose('level', { type: PushLevel, description: 'Of what, where a conversation has no level of its own.' }),
    showsText: t.exposeBoolean('showsText', { description: 'Whether they hold the beginning of the text.' }),
    timeZone: t.exposeString('timeZone', {
      nullable: true,
      description: 'The time zone of your quiet hours, by its IANA name: `Asia/Seoul`.',
    }),
    quietHours: t.field({
      type: [QuietHours],
      description: 'When you want none, by the clock on the wall in your time zone.',
      resolve: ({ quietHours }) => [...quietHours],
    }),
    quietExceptDirect: t.exposeBoolean('quietExceptDirect', {
      description: 'Whether direct messages come also in quiet hours, and when you do not want to be disturbed.',
    }),
    quietExceptMentions: t.exposeBoolean('quietExceptMentions', {
      description: 'Whether messages that mention you come also then.',
    }),
  }),
})

const PushRegistration = builder.objectRef<RegistrationRow>('PushRegistration').implement({
  description: 'That a device has notifications.',
  fields: (t) => ({
    provider: t.expose('provider', { type: PushProvider, description: 'By what way.' }),
    platform: t.string({
      nullable: true,
      description: 'What the device said it is, where it registered a token; null otherwise.',
      resolve: ({ platform }) => platform || null,
    }),
    registeredAt: t.expose('registeredAt', { type: 'DateTime', description: 'Since when, with what it has registered now.' }),
    sentAt: t.expose('sentAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When something was last sent; null for never.',
    }),
    failingSince: t.expose('failingSince', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when nothing could be sent; null where all is well.',
    }),
  }),
})
builder.objectField(Session, 'push', (t) =>
  t.field({
    type: PushRegistration,
    nullable: true,
    description: 'How the device gets notifications; null where it gets none.',
    resolve: ({ id }, _args, context) => findRegistration(context, id),
  }),
)
builder.objectField(Member, 'pushLevel', (t) =>
  t.field({
    type: PushLevel,
    nullable: true,
    description: 'What you want to be notified of here; null for what your settings say. Null of everybody else.',
    resolve: ({ conversationId, userId }, _args, context) =>
      context.caller.viewer?.userId === userId ? findLevel(context, conversationId) : null,
  }),
)

const PushDecision = builder.objectRef<DecisionRow>('PushDecision').implement({
  description: 'What was decided about notifying you of a message, and what became of it; on one of your devices, or all.',
  fields: (t) => ({
    message: t.field({
      type: Message,
      nullable: true,
      description: 'Of what; null for a test, and where you do not see the message any more.',
      resolve: ({ messageId }, _args, context) => (messageId === null ? null : findOwnMessage(context, messageId)),
    }),
    conversation: t.field({
      type: Conversation,
      nullable: true,
      description: 'Where it was written; null for a test.',
      resolve: ({ conversationId }, _args, context) =>
        conversationId === null ? null : findConversation(context, conversationId),
    }),
    session: t.field({
      type: Session,
      nullable: true,
      description: 'On which device; null for all, to none of which it was sent.',
      resolve: ({ sessionId }, _args, context) =>
        sessionId === null ? null : findSession(requireViewer(context), sessionId, context.reader),
    }),
    outcome: t.expose('outcome', { type: PushOutcome, description: 'What became of it.' }),
    reason: t.expose('reason', { type: PushReason, nullable: true, description: 'Why, where it was skipped or failed.' }),
    decidedAt: t.expose('decidedAt', { type: 'DateTime', description: 'When it was decided.' }),
    sentAt: t.expose('sentAt', { type: 'DateTime', nullable: true, description: 'When the push service took it; null before.' }),
  }),
})

builder.queryFields((t) => ({
  vapidPublicKey: t.string({
    nullable: true,
    description:
      'The `applicationServerKey` that a browser subscribes with, in base64url; null where this server has no Web Push. Needs no token.',
    resolve: (_root, _args, { app }) => app.config.secrets.vapid?.publicKey ?? null,
  }),
  pushSettings: t.field({
    type: PushSettings,
    description: 'What you want of notifications.',
    resolve: (_root, _args, context) => readSettings(context),
  }),
  pushDecisions: t.connection(
    {
      type: PushDecision,
      description: 'What was decided about your notifications in the last seven days, the newest first. Errors: BAD_INPUT.',
      complexity: pageCost,
      resolve: (_root, args, context) => readDecisions(context, args),
    },
    { name: 'PushDecisionConnection', description: 'Decisions about notifications, by page.' },
    { name: 'PushDecisionEdge', description: 'A decision in a page.' },
  ),
}))

const PushSettingsChanged = factEvent(
  'PushSettingsChanged',
  'You want something else of notifications; perhaps by another device.',
)
builder.objectField(PushSettingsChanged, 'pushSettings', (t) =>
  t.field({ type: PushSettings, description: 'What you want now.', resolve: (_event, _args, context) => readSettings(context) }),
)
const PushSubscriptionChanged = factEvent(
  'PushSubscriptionChanged',
  'One of your devices has notifications now, or has them no longer, or by another way.',
)
builder.objectField(PushSubscriptionChanged, 'session', (t) =>
  t.field({
    type: Session,
    description: 'Which one: `push` says how it stands.',
    resolve: async (event, _args, context) => {
      const session = await findSession(requireViewer(context), subjectOf(event), context.reader)
      if (!session) throw notFound(`Session ${encodeId('Session', subjectOf(event))}`)
      return session
    },
  }),
)
