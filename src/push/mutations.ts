// What one does with notifications, in the schema.

import { ECDH } from 'node:crypto'
import { z } from 'zod'
import { findSession, type SessionRow } from '../account/access.ts'
import { Session } from '../account/schema.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { line, parseInput } from '../graphql/input.ts'
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
/** A key in base64, as browsers give it; kept in base64url. */
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
          .min(1, 'must name a day')
          .max(7, 'must name a day once'),
        from: time,
        until: time,
      }),
    )
    .max(quietHoursMax, `must be at most ${quietHoursMax}`)
    .nullish(),
  quietExceptDirect: z.boolean().nullish(),
  quietExceptMentions: z.boolean().nullish(),
})

type Registered = { readonly session: SessionRow; readonly place: Place | null }

async function registered(context: Context, place: Place | null): Promise<Registered> {
  const viewer = requireViewer(context)
  const session = await findSession(viewer, viewer.sessionId, context.reader)
  if (!session) throw notFound('Session')
  return { session, place }
}

function registrationPayload(name: string, mutation: string) {
  return builder.objectRef<Registered>(name).implement({
    description: `The answer to \`${mutation}\`.`,
    fields: (t) => ({
      session: t.expose('session', { type: Session, description: 'The session of this device: `push` says how it stands.' }),
      cursor: t.field({
        type: 'Cursor',
        nullable: true,
        description: 'The place of the fact that this caused; null where it was so already.',
        resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
      }),
    }),
  })
}

const RegisterPushSubscriptionInput = builder.inputType('RegisterPushSubscriptionInput', {
  description: 'What a browser gives to whoever subscribes: its `PushSubscription`.',
  fields: (t) => ({
    endpoint: t.string({ description: `Its \`endpoint\`: an https: URL of a push service, at most ${endpointMax} characters.` }),
    p256dh: t.string({ description: 'Its `keys.p256dh`, in base64url.' }),
    auth: t.string({ description: 'Its `keys.auth`, in base64url.' }),
  }),
})
const RegisterPushTokenInput = builder.inputType('RegisterPushTokenInput', {
  description: 'How whoever runs this server knows the device.',
  fields: (t) => ({
    platform: t.string({ description: `What it is, in words that their webhook knows: 1 to ${platformMax} characters.` }),
    token: t.string({ description: `Its token there: 1 to ${tokenMax} characters.` }),
  }),
})
const QuietHoursInput = builder.inputType('QuietHoursInput', {
  description: 'A span of time without notifications.',
  fields: (t) => ({
    days: t.field({ type: [Weekday], description: 'On which days it begins: at least one.' }),
    from: t.string({ description: 'When it begins: `22:00`.' }),
    until: t.string({ description: 'When it ends; where that is not later than `from`, on the next day.' }),
  }),
})
const SetPushSettingsInput = builder.inputType('SetPushSettingsInput', {
  description: 'What you want of notifications; what is left out, or null, stays.',
  fields: (t) => ({
    level: t.field({ type: PushLevel, required: false, description: 'Of what, where a conversation has no level of its own.' }),
    showsText: t.boolean({ required: false, description: 'Whether they hold the beginning of the text.' }),
    timeZone: t.string({
      required: false,
      description: 'The time zone of the quiet hours, by its IANA name. Needed where there are some.',
    }),
    quietHours: t.field({
      type: [QuietHoursInput],
      required: false,
      description: `When you want none: at most ${quietHoursMax} spans, in place of those before. An empty list: none.`,
    }),
    quietExceptDirect: t.boolean({ required: false, description: 'Whether direct messages come also then.' }),
    quietExceptMentions: t.boolean({ required: false, description: 'Whether messages that mention you come also then.' }),
  }),
})
const SetConversationPushLevelInput = builder.inputType('SetConversationPushLevelInput', {
  description: 'What you want to be notified of in one conversation.',
  fields: (t) => ({
    conversationId: t.id({ description: 'Which one, of either kind.' }),
    level: t.field({ type: PushLevel, required: false, description: 'Of what. Null, or left out: of what your settings say.' }),
  }),
})

const SetPushSettingsPayload = builder.objectRef<{ place: Place | null }>('SetPushSettingsPayload').implement({
  description: 'The answer to `setPushSettings`.',
  fields: (t) => ({
    pushSettings: t.field({
      type: PushSettings,
      description: 'What you want now.',
      resolve: (_done, _args, context) => readSettings(context),
    }),
    cursor: t.field({
      type: 'Cursor',
      nullable: true,
      description: 'The place of the fact that this caused; null where it was so already.',
      resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
    }),
  }),
})
const SendTestNotificationPayload = builder.objectRef<{ session: SessionRow }>('SendTestNotificationPayload').implement({
  description: 'The answer to `sendTestNotification`: it is on its way. `pushDecisions` tells what became of it.',
  fields: (t) => ({ session: t.expose('session', { type: Session, description: 'The session of this device.' }) }),
})

builder.mutationFields((t) => ({
  registerPushSubscription: t.field({
    type: registrationPayload('RegisterPushSubscriptionPayload', 'registerPushSubscription'),
    description:
      'Has notifications sent to this device by Web Push, in place of what it had registered before. Another session with the same subscription loses it. Errors: BAD_INPUT, FORBIDDEN where this server has no Web Push.',
    args: { input: t.arg({ type: RegisterPushSubscriptionInput, description: 'Where to.' }) },
    resolve: async (_root, { input }, context) => {
      const address = { provider: 'WEB_PUSH', platform: '', ...parseInput(subscriptionForm, input) } as const
      return registered(context, await register(requireViewer(context), address, context.app))
    },
  }),
  registerPushToken: t.field({
    type: registrationPayload('RegisterPushTokenPayload', 'registerPushToken'),
    description:
      'Has notifications sent to this device by whatever stands behind the webhook of this server, in place of what it had registered before. Errors: BAD_INPUT, FORBIDDEN where this server has no webhook.',
    args: { input: t.arg({ type: RegisterPushTokenInput, description: 'Where to.' }) },
    resolve: async (_root, { input }, context) => {
      const { platform, token } = parseInput(tokenForm, input)
      const address = { provider: 'WEBHOOK', platform, endpoint: token, p256dh: '', auth: '' } as const
      return registered(context, await register(requireViewer(context), address, context.app))
    },
  }),
  unregisterPush: t.field({
    type: registrationPayload('UnregisterPushPayload', 'unregisterPush'),
    description: 'Ends the notifications of this device; where it has none, nothing changes.',
    resolve: async (_root, _args, context) => registered(context, await unregister(requireViewer(context), context.app)),
  }),
  setPushSettings: t.field({
    type: SetPushSettingsPayload,
    description: 'Says what you want of notifications, on all of your devices. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetPushSettingsInput, description: 'What.' }) },
    resolve: async (_root, { input }, context) => {
      const form = parseInput(settingsForm, input)
      const changes = Object.fromEntries(Object.entries(form).filter(([, value]) => value != null)) as Partial<Wishes>
      return { place: await changeSettings(requireViewer(context), changes, context.app) }
    },
  }),
  setConversationPushLevel: t.field({
    type: conversationPayload('SetConversationPushLevelPayload', 'setConversationPushLevel'),
    description:
      'Says what you want to be notified of in a conversation, on all of your devices. Nobody else learns of it. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: SetConversationPushLevelInput, description: 'Where, and what.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return setLevel(requireViewer(context), conversationId, input.level ?? null, context.app)
    },
  }),
  sendTestNotification: t.field({
    type: SendTestNotificationPayload,
    description:
      'Sends a notification to this device, whatever you want of them, to see that it works. Errors: NOT_FOUND where it has none registered, RATE_LIMITED.',
    resolve: async (_root, _args, context) => {
      const viewer = requireViewer(context)
      await sendTest(viewer, context.app)
      return registered(context, null)
    },
  }),
}))
