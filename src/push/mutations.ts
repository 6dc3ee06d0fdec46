// The mutations of notifications.

import { ECDH } from 'node:crypto'
import { z } from 'zod'
import { findSession, type SessionRow } from '../account/access.ts'
import { Session } from '../account/schema.ts'
import type { Config } from '../config/config.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireSessionViewer, requireViewer } from '../graphql/context.ts'
import { line, parseInput } from '../graphql/input.ts'
import { cursorField } from '../graphql/payload.ts'
import { parseId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { readSettings } from './access.ts'
import { changeSettings, register, sendTest, setLevel, unregister } from './actions.ts'
import type { Wishes } from './decide.ts'
import { isTimeZone, timeForm } from './quiet-hours.ts'
import { PushLevel, PushSettings, Weekday } from './schema.ts'

const endpointMax = 2_000
const tokenMax = 2_000
const platformMax = 50
const quietHoursMax = 14

const base64 = /^[\w+/-]+={0,2}$/
/** A key in base64, as browsers return it; stored in base64url. */
const key = (is: (bytes: Buffer) => boolean, rule: string) =>
  z
    .string()
    .max(200)
    .refine((text) => base64.test(text) && is(Buffer.from(text, 'base64url')), rule)
    .transform((text) => Buffer.from(text, 'base64url').toString('base64url'))

function isPoint(bytes: Buffer): boolean {
  try {
    ECDH.convertKey(bytes, 'prime256v1')
    return bytes.length === 65
  } catch {
    return false
  }
}

const subscriptionForm = z.object({
  endpoint: z
    .string()
    .refine((text) => URL.canParse(text), 'must be a URL')
    .transform((text) => new URL(text).href)
    .refine((text) => text.length <= endpointMax, `must have at most ${endpointMax} characters`),
  p256dh: key(isPoint, 'must be an uncompressed P-256 public key in base64url: 65 bytes'),
  auth: key((bytes) => bytes.length === 16, 'must be 16 bytes in base64url'),
})
const tokenForm = z.object({ platform: line(platformMax), token: line(tokenMax) })
const time = z.string().regex(timeForm, 'must be a time from 00:00 to 23:59')
const settingsForm = z.object({
  level: z.enum(['ALL', 'MENTIONS', 'NONE']).nullish(),
  showsText: z.boolean().nullish(),
  timeZone: z.string().max(100).refine(isTimeZone, 'must be the IANA name of a time zone, such as Asia/Seoul').nullish(),
  quietHours: z
    .array(
      z.object({
        days: z
          .array(z.custom<Wishes['quietHours'][number]['days'][number]>())
          .min(1, 'must contain at least one day')
          .max(7, 'must not contain a day twice'),
        from: time,
        until: time,
      }),
    )
    .max(quietHoursMax, `must have at most ${quietHoursMax} periods`)
    .nullish(),
  quietExceptDirect: z.boolean().nullish(),
  quietExceptMentions: z.boolean().nullish(),
})

type Registered = { readonly session: SessionRow; readonly place: Place | null }

async function registered(context: Context, place: Place | null): Promise<Registered> {
  const viewer = requireSessionViewer(context)
  const session = await findSession(viewer, viewer.sessionId, context.reader)
  if (!session) throw notFound('Session')
  return { session, place }
}

function registrationPayload(name: string, mutation: string) {
  return builder.objectRef<Registered>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      session: t.expose('session', { type: Session, description: 'The session of this device, with its current `push`.' }),
      cursor: cursorField(t),
    }),
  })
}

const RegisterPushSubscriptionInput = builder.inputType('RegisterPushSubscriptionInput', {
  description:
    'Input for `registerPushSubscription`: the `PushSubscription` that a browser returns from `pushManager.subscribe()`.',
  fields: (t) => ({
    endpoint: t.string({
      description: `The subscription's \`endpoint\`: an https: URL of a push service on the public internet, port 443, at most ${endpointMax} characters.`,
    }),
    p256dh: t.string({ description: "The subscription's `keys.p256dh`, in base64url." }),
    auth: t.string({ description: "The subscription's `keys.auth`, in base64url." }),
  }),
})
const RegisterPushTokenInput = builder.inputType('RegisterPushTokenInput', {
  description: 'Input for `registerPushToken`.',
  fields: (t) => ({
    platform: t.string({
      description: `\`fcm\` or \`apns\`, or a kind of device that the notification webhook of this server knows: 1 to ${platformMax} characters.`,
    }),
    token: t.string({ description: `The token that identifies the device there: 1 to ${tokenMax} characters.` }),
  }),
})
const QuietHoursInput = builder.inputType('QuietHoursInput', {
  description: 'A period in which you receive no notifications.',
  fields: (t) => ({
    days: t.field({ type: [Weekday], description: 'The days on which the period starts; at least one.' }),
    from: t.string({ description: 'When the period starts: `22:00`, in 24-hour time.' }),
    until: t.string({ description: 'When the period ends. If it is not later than `from`, the period ends on the next day.' }),
  }),
})
const SetPushSettingsInput = builder.inputType('SetPushSettingsInput', {
  description: 'Input for `setPushSettings`. Fields that are null or omitted stay unchanged.',
  fields: (t) => ({
    level: t.field({
      type: PushLevel,
      required: false,
      description: 'Which messages trigger notifications in conversations without a level of their own.',
    }),
    showsText: t.boolean({ required: false, description: 'Whether notifications contain the beginning of the message.' }),
    timeZone: t.string({
      required: false,
      description: 'The IANA time zone of your quiet hours, such as `Asia/Seoul`. Required if there are quiet hours.',
    }),
    quietHours: t.field({
      type: [QuietHoursInput],
      required: false,
      description: `The periods in which you receive no notifications, at most ${quietHoursMax}. They replace the existing ones; an empty list removes all.`,
    }),
    quietExceptDirect: t.boolean({
      required: false,
      description: 'Whether you are still notified of direct messages during quiet hours and in DO_NOT_DISTURB.',
    }),
    quietExceptMentions: t.boolean({
      required: false,
      description: 'Whether you are still notified of mentions during quiet hours and in DO_NOT_DISTURB.',
    }),
  }),
})
const SetConversationPushLevelInput = builder.inputType('SetConversationPushLevelInput', {
  description: 'Input for `setConversationPushLevel`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation, direct or group.' }),
    level: t.field({
      type: PushLevel,
      required: false,
      description: 'Which messages trigger notifications. Null, or omitted, uses the level of your push settings.',
    }),
  }),
})

const SetPushSettingsPayload = builder.objectRef<{ place: Place | null }>('SetPushSettingsPayload').implement({
  description: 'The result of `setPushSettings`.',
  fields: (t) => ({
    pushSettings: t.field({
      type: PushSettings,
      description: 'Your current settings.',
      resolve: (_done, _args, context) => readSettings(context),
    }),
    cursor: cursorField(t),
  }),
})
const SendTestNotificationPayload = builder.objectRef<{ session: SessionRow }>('SendTestNotificationPayload').implement({
  description: 'The result of `sendTestNotification`: the notification is on its way. Read `pushDecisions` for its outcome.',
  fields: (t) => ({ session: t.expose('session', { type: Session, description: 'The session of this device.' }) }),
})

/** Phones' own services, if there are credentials for them; otherwise the notification webhook may know the platform. */
function providerOf(platform: string, { push }: Config): 'FCM' | 'APNS' | 'WEBHOOK' {
  if (platform === 'fcm' && push.fcm) return 'FCM'
  return platform === 'apns' && push.apns ? 'APNS' : 'WEBHOOK'
}

builder.mutationFields((t) => ({
  registerPushSubscription: t.field({
    type: registrationPayload('RegisterPushSubscriptionPayload', 'registerPushSubscription'),
    description:
      'Registers this device for notifications over Web Push, replacing its previous registration. If another session has registered the same subscription, that session loses it. Errors: BAD_INPUT, FORBIDDEN if this server does not offer Web Push.',
    args: { input: t.arg({ type: RegisterPushSubscriptionInput, description: "The browser's push subscription." }) },
    resolve: async (_root, { input }, context) => {
      const address = { provider: 'WEB_PUSH', platform: '', ...parseInput(subscriptionForm, input) } as const
      return registered(context, await register(requireSessionViewer(context), address, context.app))
    },
  }),
  registerPushToken: t.field({
    type: registrationPayload('RegisterPushTokenPayload', 'registerPushToken'),
    description:
      'Registers this device for notifications with a token: that of FCM or APNs for the platforms `fcm` and `apns`, if this server has credentials for them, otherwise one for its notification webhook. Replaces the previous registration. Errors: BAD_INPUT, FORBIDDEN if this server offers neither.',
    args: { input: t.arg({ type: RegisterPushTokenInput, description: "The device's platform and token." }) },
    resolve: async (_root, { input }, context) => {
      const { platform, token } = parseInput(tokenForm, input)
      const provider = providerOf(platform, context.app.config)
      const address = { provider, platform, endpoint: token, p256dh: '', auth: '' } as const
      return registered(context, await register(requireSessionViewer(context), address, context.app))
    },
  }),
  unregisterPush: t.field({
    type: registrationPayload('UnregisterPushPayload', 'unregisterPush'),
    description: 'Stops notifications on this device. Changes nothing if the device is not registered.',
    resolve: async (_root, _args, context) => registered(context, await unregister(requireSessionViewer(context), context.app)),
  }),
  setPushSettings: t.field({
    type: SetPushSettingsPayload,
    description: 'Changes your notification settings, on all your devices. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetPushSettingsInput, description: 'The settings to change.' }) },
    resolve: async (_root, { input }, context) => {
      const form = parseInput(settingsForm, input)
      const changes = Object.fromEntries(Object.entries(form).filter(([, value]) => value != null)) as Partial<Wishes>
      return { place: await changeSettings(requireViewer(context), changes, context.app) }
    },
  }),
  setConversationPushLevel: t.field({
    type: conversationPayload('SetConversationPushLevelPayload', 'setConversationPushLevel'),
    description:
      'Sets which messages of a conversation trigger notifications, on all your devices. Nobody else can see this. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: SetConversationPushLevelInput, description: 'The conversation, and its level.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return setLevel(requireViewer(context), conversationId, input.level ?? null, context.app)
    },
  }),
  sendTestNotification: t.field({
    type: SendTestNotificationPayload,
    description:
      'Sends a test notification to this device, whatever your settings are. Errors: NOT_FOUND if the device is not registered, RATE_LIMITED.',
    resolve: async (_root, _args, context) => {
      const viewer = requireSessionViewer(context)
      await sendTest(viewer, context.app)
      return registered(context, null)
    },
  }),
}))
