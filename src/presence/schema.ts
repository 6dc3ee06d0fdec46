// The schema of presence: the signal and the settings.

import { findUser, requireUser } from '../account/access.ts'
import { Session, User } from '../account/schema.ts'
import { badInput } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { isBackend, requireSessionViewer, requireViewer } from '../graphql/context.ts'
import { asHearer, factEvent } from '../graphql/event.ts'
import { viewerLoader } from '../graphql/loader.ts'
import { cursorField } from '../graphql/payload.ts'
import { encodeId, parseId, type UserId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { findVisiblePresence, readOwnPresenceSettings, requireRelations, watchedMax } from './access.ts'
import { setLastActiveVisibility, setPresenceMode } from './actions.ts'
import { idleAfterMs } from './device-activity.ts'
import type { ConnectedDevice } from './device-service.ts'
import { presenceKinds } from './events.ts'
import { latestOf } from './latest.ts'
import { coalesceMs } from './presence-service.ts'
import type { VisiblePresence } from './visible-presence.ts'

const [idleAfterMin, coalesceS] = [idleAfterMs / 60_000, coalesceMs / 1_000]

const PresenceState = builder.enumType('PresenceState', {
  description:
    'The presence of a user, as shown to others: the most active state of their devices, or what they chose with `setPresenceMode`.',
  values: {
    ONLINE: { description: 'Active on at least one device.' },
    IDLE: {
      description: `Connected, but inactive: on every device, nothing has happened for ${idleAfterMin} minutes or the device has reported that nobody is using it.`,
    },
    DO_NOT_DISTURB: { description: 'Connected, and the user does not want to be disturbed.' },
    OFFLINE: { description: 'Not connected, or the user chose to appear so, or you may no longer see their presence.' },
  } as const,
})
const DeviceState = builder.enumType('DeviceState', {
  description: 'The presence of one device.',
  values: {
    ONLINE: { description: 'Connected and in use.' },
    IDLE: { description: 'Connected, but nobody is using it.' },
    OFFLINE: {
      description: 'Not connected: the server has had no sign of life for 30 seconds, unless it is configured otherwise.',
    },
  } as const,
})
const PresenceMode = builder.enumType('PresenceMode', {
  description: 'How you appear to others.',
  values: {
    AUTOMATIC: { description: 'You appear as you are.' },
    DO_NOT_DISTURB: { description: 'You appear as DO_NOT_DISTURB while you are connected.' },
    INVISIBLE: { description: 'You appear as OFFLINE, as if you had left when you chose this.' },
  } as const,
})
const LastActiveVisibility = builder.enumType('LastActiveVisibility', {
  description: 'Who, among the people who can see your presence, can see when you were last active.',
  values: {
    EVERYONE: { description: 'Everyone who can see your presence.' },
    CONTACTS: { description: 'Only your contacts.' },
    NOBODY: { description: 'Nobody.' },
  } as const,
})

/** A visible presence; in a subscription, with the scope in which users are cached. */
type ShownPresence = VisiblePresence & { readonly scope?: object }

const Presence = builder.objectRef<ShownPresence>('Presence').implement({
  description: 'The presence of a user.',
  fields: (t) => ({
    id: t.id({
      description: 'Identifies the user, for caches. It cannot be passed to `node`.',
      resolve: ({ userId }) => `Presence:${encodeId('User', userId)}`,
    }),
    user: t.field({
      type: User,
      description: 'The user.',
      resolve: ({ userId, scope }, _args, context) => requireUser(scope ? { ...context, scope } : context, userId),
    }),
    state: t.expose('state', { type: PresenceState, description: 'Whether the user is online, as shown to you.' }),
    lastActiveAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the user was last active; null if they do not share this with you or were never active.',
      resolve: ({ lastActiveAt }) => (lastActiveAt === null ? null : new Date(lastActiveAt)),
    }),
  }),
})

builder.objectField(User, 'presence', (t) =>
  t.field({
    type: Presence,
    nullable: true,
    description:
      'The current presence; null if you neither are contacts nor share a conversation, or if it cannot be determined at the moment. To follow changes, use the `presence` subscription.',
    resolve: ({ id }, _args, context) => (isBackend(context) ? null : findVisiblePresence(context, id)),
  }),
)

const devicesOf = viewerLoader(async (context, userIds: readonly UserId[]) =>
  context.app.presence.devices(userIds).catch((): ReadonlyMap<UserId, never[]> => new Map()),
)
builder.objectField(Session, 'state', (t) =>
  t.field({
    type: DeviceState,
    description: 'Whether the device is currently connected and in use.',
    resolve: async ({ id, userId }, _args, context) =>
      (await devicesOf(context, userId))?.find(({ deviceId }) => deviceId === id)?.state ?? 'OFFLINE',
  }),
)

builder.queryFields((t) => ({
  presenceMode: t.field({
    type: PresenceMode,
    description: 'How you appear to others.',
    resolve: async (_root, _args, context) => (await readOwnPresenceSettings(context)).mode,
  }),
  lastActiveVisibility: t.field({
    type: LastActiveVisibility,
    description: 'Who can see when you were last active.',
    resolve: async (_root, _args, context) => (await readOwnPresenceSettings(context)).visibility,
  }),
}))

builder.subscriptionField('presence', (t) =>
  t.field({
    type: Presence,
    description: `Reports the presence of users: first the current state of each, then every change, at most one per user every ${coalesceS} seconds. Presence is a signal, which is never stored. If you may no longer see a user's presence, it turns OFFLINE and stays so until you may see it again. Errors: BAD_INPUT, NOT_FOUND if you may not see one of the users, LIMIT_EXCEEDED.`,
    args: {
      userIds: t.arg.idList({
        description: `The IDs of the users to follow: contacts, people who share a conversation with you, or yourself. At most ${watchedMax}. For a larger group, read \`presence\` of its members once and follow only the users on screen.`,
      }),
    },
    subscribe: async (_root, args, context) => {
      const { userId } = requireViewer(context)
      const userIds = args.userIds.map((id) => parseId('User', id, 'userIds'))
      if (userIds.length === 0) throw badInput('userIds', 'must contain at least one ID')
      const relations = await requireRelations(context, userIds)
      // Loads the users with one statement, and caches them until they change.
      const shared = { ...context, scope: {} }
      await Promise.all(userIds.map((id) => findUser(shared, id)))
      return latestOf<VisiblePresence>(
        (visible) => visible.userId,
        (show) => context.app.presence.watch(userId, relations, show),
      )
    },
    resolve: (visible): ShownPresence => ({ ...visible, scope: {} }),
  }),
)

const HeartbeatInput = builder.inputType('HeartbeatInput', {
  description: 'Input for `heartbeat`.',
  fields: (t) => ({
    idle: t.boolean({
      description: `True if nobody is using the device, for instance because it is locked or its window is hidden; false if somebody is. A device becomes idle by itself after ${idleAfterMin} minutes without activity, so send false now and then while the user is only reading.`,
    }),
  }),
})
const HeartbeatPayload = builder.objectRef<ConnectedDevice>('HeartbeatPayload').implement({
  description: 'The result of `heartbeat`.',
  fields: (t) => ({
    onlineUntil: t.field({
      type: 'DateTime',
      description: 'When this device becomes OFFLINE unless it gives another sign of life.',
      resolve: (device) => device.presentUntil(),
    }),
    state: t.field({
      type: DeviceState,
      description: 'The current state of this device.',
      resolve: (device) => (device.isIdle() ? 'IDLE' : 'ONLINE'),
    }),
  }),
})
builder.mutationField('heartbeat', (t) =>
  t.field({
    type: HeartbeatPayload,
    description:
      'Reports that this device is still connected. An open WebSocket does not need it; an event stream over HTTP needs it about every 15 seconds. Nothing is stored.',
    args: {
      input: t.arg({
        type: HeartbeatInput,
        required: false,
        description: 'Whether the device is in use. Defaults to in use.',
      }),
    },
    resolve: (_root, { input }, context) => {
      const viewer = requireSessionViewer(context)
      const device = context.device() ?? context.app.devices.overHttp(viewer, true)
      if (input?.idle) device.left()
      else device.used()
      return device
    },
  }),
)

// ---- Settings

type Chosen = { readonly place: Place | null }

const SetPresenceModePayload = builder.objectRef<Chosen>('SetPresenceModePayload').implement({
  description: 'The result of `setPresenceMode`.',
  fields: (t) => ({
    presenceMode: t.field({
      type: PresenceMode,
      description: 'How you appear to others now.',
      resolve: async (_done, _args, context) => (await readOwnPresenceSettings(context)).mode,
    }),
    cursor: cursorField(t),
  }),
})
const SetPresenceModeInput = builder.inputType('SetPresenceModeInput', {
  description: 'Input for `setPresenceMode`.',
  fields: (t) => ({
    presenceMode: t.field({
      type: PresenceMode,
      description: 'How to appear to others, on all devices and until you change it.',
    }),
  }),
})
const SetLastActiveVisibilityPayload = builder.objectRef<Chosen>('SetLastActiveVisibilityPayload').implement({
  description: 'The result of `setLastActiveVisibility`.',
  fields: (t) => ({
    lastActiveVisibility: t.field({
      type: LastActiveVisibility,
      description: 'Your current setting.',
      resolve: async (_done, _args, context) => (await readOwnPresenceSettings(context)).visibility,
    }),
    cursor: cursorField(t),
  }),
})
const SetLastActiveVisibilityInput = builder.inputType('SetLastActiveVisibilityInput', {
  description: 'Input for `setLastActiveVisibility`.',
  fields: (t) => ({
    lastActiveVisibility: t.field({ type: LastActiveVisibility, description: 'Who can see when you were last active.' }),
  }),
})

builder.mutationFields((t) => ({
  setPresenceMode: t.field({
    type: SetPresenceModePayload,
    description: 'Sets how you appear to others. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetPresenceModeInput, description: 'How to appear to others.' }) },
    resolve: async (_root, { input }, context) => ({
      place: await setPresenceMode(requireViewer(context), input.presenceMode, context.app),
    }),
  }),
  setLastActiveVisibility: t.field({
    type: SetLastActiveVisibilityPayload,
    description: 'Sets who can see when you were last active. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetLastActiveVisibilityInput, description: 'Who can see when you were last active.' }) },
    resolve: async (_root, { input }, context) => ({
      place: await setLastActiveVisibility(requireViewer(context), input.lastActiveVisibility, context.app),
    }),
  }),
}))

const PresenceSettingsChanged = factEvent(
  presenceKinds.PresenceSettingsChanged,
  'You changed how you appear to others or who can see when you were last active, on this or another device. Sent only to you.',
)
builder.objectFields(PresenceSettingsChanged, (t) => ({
  presenceMode: t.field({
    type: PresenceMode,
    description: 'How you appear to others now.',
    resolve: async (event, _args, context) => (await readOwnPresenceSettings(asHearer(event, context))).mode,
  }),
  lastActiveVisibility: t.field({
    type: LastActiveVisibility,
    description: 'Who can now see when you were last active.',
    resolve: async (event, _args, context) => (await readOwnPresenceSettings(asHearer(event, context))).visibility,
  }),
}))
