// The schema of notifications: settings, registrations and decisions.

import { findSession } from '../account/access.ts'
import { Session } from '../account/schema.ts'
import { findConversation } from '../conversation/access.ts'
import { Conversation, Member } from '../conversation/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { asHearer, factEvent, subjectOf } from '../graphql/event.ts'
import { pageCost } from '../graphql/page.ts'
import { encodeId, sessionIdOf } from '../id.ts'
import { findOwnMessage } from '../message/access.ts'
import { Message } from '../message/schema.ts'
import { type DecisionRow, findLevel, findRegistration, type RegistrationRow, readDecisions, readSettings } from './access.ts'
import { skipReasons, type Wishes } from './decide.ts'
import { pushKinds } from './events.ts'
import { failReasons } from './jobs/deliveries.ts'
import { type QuietSpan, weekdays } from './quiet-hours.ts'

export const PushLevel = builder.enumType('PushLevel', {
  description: 'Which messages trigger notifications.',
  values: {
    ALL: { description: 'All messages.' },
    MENTIONS: {
      description:
        'Messages that mention you. As the level of your account, this includes all direct messages; as the level of a conversation, it does not.',
    },
    NONE: { description: 'No messages.' },
  } as const,
})
export const Weekday = builder.enumType('Weekday', {
  description: 'A day of the week.',
  values: Object.fromEntries(weekdays.map((day) => [day, { description: `${day[0]}${day.slice(1).toLowerCase()}.` }])) as {
    [Day in (typeof weekdays)[number]]: { description: string }
  },
})
const PushProvider = builder.enumType('PushProvider', {
  description: 'How notifications reach a device.',
  values: {
    WEB_PUSH: { description: 'Web Push: through the push service of the browser.' },
    FCM: { description: 'Firebase Cloud Messaging, for apps on Android.' },
    APNS: { description: 'The Apple Push Notification service, for apps on iOS.' },
    WEBHOOK: { description: 'Through the notification webhook of this server, for example to e-mail.' },
  } as const,
})
const PushOutcome = builder.enumType('PushOutcome', {
  description: 'The outcome of a notification.',
  values: {
    QUEUED: { description: 'It is on its way, or waits for a retry.' },
    SENT: { description: 'The push service has accepted it.' },
    SKIPPED: { description: 'It was deliberately not sent; see `reason`.' },
    FAILED: { description: 'It could not be sent; see `reason`.' },
  } as const,
})
const reasons = { ...skipReasons, ...failReasons }
const PushReason = builder.enumType('PushReason', {
  description: 'Why a notification was skipped or failed.',
  values: Object.fromEntries(Object.entries(reasons).map(([name, description]) => [name, { description }])) as {
    [Name in keyof typeof reasons]: { description: string }
  },
})

const QuietHours = builder.objectRef<QuietSpan>('QuietHours').implement({
  description: 'A period in which you receive no notifications.',
  fields: (t) => ({
    days: t.field({ type: [Weekday], description: 'The days on which the period starts.', resolve: ({ days }) => [...days] }),
    from: t.exposeString('from', { description: 'When the period starts: `22:00`, in 24-hour time.' }),
    until: t.exposeString('until', {
      description: 'When the period ends. If it is not later than `from`, the period ends on the next day.',
    }),
  }),
})
export const PushSettings = builder.objectRef<Wishes>('PushSettings').implement({
  description: 'Your notification settings. Visible only to you.',
  fields: (t) => ({
    level: t.expose('level', {
      type: PushLevel,
      description: 'Which messages trigger notifications in conversations without a level of their own.',
    }),
    showsText: t.exposeBoolean('showsText', { description: 'Whether notifications contain the beginning of the message.' }),
    timeZone: t.exposeString('timeZone', {
      nullable: true,
      description: 'The IANA time zone of your quiet hours, such as `Asia/Seoul`; null if you have not set one.',
    }),
    quietHours: t.field({
      type: [QuietHours],
      description: 'The periods in which you receive no notifications, in the local time of `timeZone`.',
      resolve: ({ quietHours }) => [...quietHours],
    }),
    quietExceptDirect: t.exposeBoolean('quietExceptDirect', {
      description: 'Whether you are still notified of direct messages during quiet hours and in DO_NOT_DISTURB.',
    }),
    quietExceptMentions: t.exposeBoolean('quietExceptMentions', {
      description: 'Whether you are still notified of mentions during quiet hours and in DO_NOT_DISTURB.',
    }),
  }),
})

const PushRegistration = builder.objectRef<RegistrationRow>('PushRegistration').implement({
  description: "A device's registration for notifications.",
  fields: (t) => ({
    provider: t.expose('provider', { type: PushProvider, description: 'How notifications reach the device.' }),
    platform: t.string({
      nullable: true,
      description: 'The platform that the device registered with its token; null for Web Push.',
      resolve: ({ platform }) => platform || null,
    }),
    registeredAt: t.expose('registeredAt', { type: 'DateTime', description: 'When the current registration was made.' }),
    sentAt: t.expose('sentAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a notification was last sent; null if none has been sent.',
    }),
    failingSince: t.expose('failingSince', {
      type: 'DateTime',
      nullable: true,
      description: 'When sending to the device began to fail; null if it works.',
    }),
  }),
})
builder.objectField(Session, 'push', (t) =>
  t.field({
    type: PushRegistration,
    nullable: true,
    description: "The device's registration for notifications; null if it is not registered.",
    resolve: ({ id }, _args, context) => findRegistration(context, id),
  }),
)
builder.objectField(Member, 'pushLevel', (t) =>
  t.field({
    type: PushLevel,
    nullable: true,
    description:
      'Which messages of this conversation trigger notifications; null if your push settings apply. Visible only to the member; null for everyone else.',
    resolve: ({ conversationId, userId }, _args, context) =>
      context.caller.viewer?.userId === userId ? findLevel(context, conversationId) : null,
  }),
)

const PushDecision = builder.objectRef<DecisionRow>('PushDecision').implement({
  description: 'A decision whether to notify you of a message, and its outcome, on one or all of your devices.',
  fields: (t) => ({
    id: t.id({
      description: 'Identifies the decision, for caches. It cannot be passed to `node`.',
      resolve: ({ id }) => `PushDecision:${id}`,
    }),
    message: t.field({
      type: Message,
      nullable: true,
      description: 'The message; null for a test notification, or if you can no longer see the message.',
      resolve: ({ messageId }, _args, context) => (messageId === null ? null : findOwnMessage(context, messageId)),
    }),
    conversation: t.field({
      type: Conversation,
      nullable: true,
      description: 'The conversation of the message; null for a test notification.',
      resolve: ({ conversationId }, _args, context) =>
        conversationId === null ? null : findConversation(context, conversationId),
    }),
    session: t.field({
      type: Session,
      nullable: true,
      description: 'The session of the device; null if the notification was skipped for all devices.',
      resolve: ({ sessionId }, _args, context) =>
        sessionId === null ? null : findSession(requireViewer(context), sessionId, context.reader),
    }),
    outcome: t.expose('outcome', { type: PushOutcome, description: 'The outcome of the notification.' }),
    reason: t.expose('reason', {
      type: PushReason,
      nullable: true,
      description: 'Why the notification was skipped or failed; null otherwise.',
    }),
    decidedAt: t.expose('decidedAt', { type: 'DateTime', description: 'When the decision was made.' }),
    sentAt: t.expose('sentAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the push service accepted the notification; null if it has not.',
    }),
  }),
})

builder.queryFields((t) => ({
  vapidPublicKey: t.string({
    nullable: true,
    description:
      'The `applicationServerKey` that a browser needs to subscribe to Web Push, in base64url; null if this server does not offer Web Push. Needs no access token.',
    resolve: (_root, _args, { app }) => app.vapid?.publicKey ?? null,
  }),
  pushSettings: t.field({
    type: PushSettings,
    description: 'Your notification settings.',
    resolve: (_root, _args, context) => readSettings(context),
  }),
  pushDecisions: t.connection(
    {
      type: PushDecision,
      description: 'The decisions about your notifications in the last seven days, newest first. Errors: BAD_INPUT.',
      complexity: pageCost,
      resolve: (_root, args, context) => readDecisions(context, args),
    },
    { name: 'PushDecisionConnection', description: 'A page of notification decisions.' },
    { name: 'PushDecisionEdge', description: 'A notification decision on a page.' },
  ),
}))

const PushSettingsChanged = factEvent(
  pushKinds.PushSettingsChanged,
  'You changed your notification settings, on this or another device. Sent only to you.',
)
builder.objectField(PushSettingsChanged, 'pushSettings', (t) =>
  t.field({
    type: PushSettings,
    description: 'Your current settings.',
    resolve: (event, _args, context) => readSettings(asHearer(event, context)),
  }),
)
const PushSubscriptionChanged = factEvent(
  pushKinds.PushSubscriptionChanged,
  'One of your devices was registered for notifications, was unregistered, or changed its registration. Sent only to you.',
)
builder.objectField(PushSubscriptionChanged, 'session', (t) =>
  t.field({
    type: Session,
    description: 'The session of the device, with its current `push`.',
    resolve: async (event, _args, context) => {
      const sessionId = sessionIdOf(subjectOf(event))
      const session = await findSession(requireViewer(asHearer(event, context)), sessionId, context.reader)
      if (!session) throw notFound(`Session ${encodeId('Session', sessionId)}`)
      return session
    },
  }),
)
