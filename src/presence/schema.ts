// Presence in the schema: a signal, and what people chose to show of it.

import { findUser, requireUser } from '../account/access.ts'
import { Session, User } from '../account/schema.ts'
import { badInput } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { factEvent } from '../graphql/event.ts'
import { batched } from '../graphql/loader.ts'
import { parseId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { latestOf } from '../signal/latest.ts'
import { coalesceMs } from '../signal/presence-board.ts'
import type { Seen } from '../signal/seen.ts'
import { idleAfterMs, type Visit } from '../signal/visits.ts'
import { findSeen, readOwnStanding, requireRelations, watchedMax } from './access.ts'
import { setLastActiveVisibility, setPresenceMode } from './actions.ts'

const [idleAfterMin, coalesceS] = [idleAfterMs / 60_000, coalesceMs / 1_000]

const PresenceState = builder.enumType('PresenceState', {
  description: 'What is shown of a user: the best of their devices, or what they chose to be seen as.',
  values: {
    ONLINE: { description: 'On at least one device, and at it.' },
    IDLE: {
      description: `Connected, but on no device has anything been done for ${idleAfterMin} minutes, or the devices say that nobody is at them.`,
    },
    DO_NOT_DISTURB: { description: 'There, and does not want to be disturbed.' },
    OFFLINE: { description: 'On no device; or chose to look so; or not yours to see any more.' },
  } as const,
})
const DeviceState = builder.enumType('DeviceState', {
  description: 'What there is of a device.',
  values: {
    ONLINE: { description: 'Connected, and somebody is at it.' },
    IDLE: { description: 'Connected, and nobody is at it.' },
    OFFLINE: { description: 'Nothing was heard of it for 30 seconds, or what this server is set to.' },
  } as const,
})
const PresenceMode = builder.enumType('PresenceMode', {
  description: 'What you want to be seen as.',
  values: {
    AUTOMATIC: { description: 'As it is.' },
    DO_NOT_DISTURB: { description: 'As somebody who does not want to be disturbed, while you are there.' },
    INVISIBLE: { description: 'As somebody who is not there, and left when you chose this.' },
  } as const,
})
const LastActiveVisibility = builder.enumType('LastActiveVisibility', {
  description: 'Who, among those who see your presence, may know when you were last active.',
  values: {
    EVERYONE: { description: 'All of them.' },
    CONTACTS: { description: 'Your contacts.' },
    NOBODY: { description: 'Nobody.' },
  } as const,
})

/** What is seen, and for changes that are followed a scope in which users are remembered. */
type Shown = Seen & { readonly scope?: object }

const Presence = builder.objectRef<Shown>('Presence').implement({
  description: 'Whether somebody is there.',
  fields: (t) => ({
    user: t.field({
      type: User,
      description: 'Who.',
      resolve: ({ userId, scope }, _args, context) => requireUser(scope ? { ...context, scope } : context, userId),
    }),
    state: t.expose('state', { type: PresenceState, description: 'What is shown of them.' }),
    lastActiveAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When they last did something, as of now; null where they do not want you to know, or never did.',
      resolve: ({ lastActiveAt }) => (lastActiveAt === null ? null : new Date(lastActiveAt)),
    }),
  }),
})

builder.objectField(User, 'presence', (t) =>
  t.field({
    type: Presence,
    nullable: true,
    description:
      'Whether they are there now; null where you share no conversation and are no contacts, and while it cannot be known. For what you look at all the time subscribe to `presence`.',
    resolve: ({ id }, _args, context) => findSeen(context, id),
  }),
)

const devicesOf = batched(async (context, userIds: readonly number[]) =>
  context.app.presence.devices(userIds).catch((): ReadonlyMap<number, never[]> => new Map()),
)
builder.objectField(Session, 'state', (t) =>
  t.field({
    type: DeviceState,
    description: 'Whether the device is there now.',
    resolve: async ({ id, userId }, _args, context) =>
      (await devicesOf(context, userId))?.find(({ deviceId }) => deviceId === id)?.state ?? 'OFFLINE',
  }),
)

builder.queryFields((t) => ({
  presenceMode: t.field({
    type: PresenceMode,
    description: 'What you want to be seen as.',
    resolve: async (_root, _args, context) => (await readOwnStanding(context)).mode,
  }),
  lastActiveVisibility: t.field({
    type: LastActiveVisibility,
    description: 'Who may know when you were last active.',
    resolve: async (_root, _args, context) => (await readOwnStanding(context)).visibility,
  }),
}))

builder.subscriptionField('presence', (t) =>
  t.field({
    type: Presence,
    description: `Whether people are there: first each as they are, then every change, at most one in ${coalesceS} seconds of each. A signal: it is never stored. Who stops to be yours to see turns OFFLINE, and stays so until you may see them again. Errors: BAD_INPUT, NOT_FOUND where one of them is not yours to see, LIMIT_EXCEEDED.`,
    args: {
      userIds: t.arg.idList({
        description: `Whom: contacts, people in a conversation with you, yourself. At most ${watchedMax}; of larger groups read \`presence\` of the members when you enter, and follow those that you show.`,
      }),
    },
    subscribe: async (_root, args, context) => {
      const { userId } = requireViewer(context)
      const userIds = args.userIds.map((id) => parseId('User', id, 'userIds'))
      if (userIds.length === 0) throw badInput('userIds', 'names nobody')
      const relations = await requireRelations(context, userIds)
      // Read with one statement, and remembered until somebody changes.
      const shared = { ...context, scope: {} }
      await Promise.all(userIds.map((id) => findUser(shared, id)))
      return latestOf<Seen>(
        (seen) => seen.userId,
        (show) => context.app.presence.watch(userId, relations, show),
      )
    },
    resolve: (seen): Shown => ({ ...seen, scope: {} }),
  }),
)

const HeartbeatInput = builder.inputType('HeartbeatInput', {
  description: 'How it is with this device.',
  fields: (t) => ({
    idle: t.boolean({
      description: `true: nobody is at the device, for instance since it is locked or its window hidden. false: somebody is. A device that says neither, and on which nothing is done for ${idleAfterMin} minutes, is idle by itself; so say now and then that somebody is there who only reads.`,
    }),
  }),
})
const HeartbeatPayload = builder.objectRef<Visit>('HeartbeatPayload').implement({
  description: 'The answer to `heartbeat`.',
  fields: (t) => ({
    onlineUntil: t.field({
      type: 'DateTime',
      description: 'Until when this device counts as there without another sign of life.',
      resolve: (visit) => visit.lastsUntil(),
    }),
    state: t.field({
      type: DeviceState,
      description: 'What it counts as.',
      resolve: (visit) => (visit.isIdle() ? 'IDLE' : 'ONLINE'),
    }),
  }),
})
builder.mutationField('heartbeat', (t) =>
  t.field({
    type: HeartbeatPayload,
    description:
      'Says that this device is there. An open WebSocket says it by itself; an event stream over HTTP does not, and needs this every 15 seconds or so. Nothing is stored.',
    args: {
      input: t.arg({
        type: HeartbeatInput,
        required: false,
        description: 'Whether somebody is at it; where it is left out, somebody is.',
      }),
    },
    resolve: (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const visit = context.visit() ?? context.app.visits.overHttp(viewer)
      if (input?.idle) visit.rest()
      else visit.act()
      return visit
    },
  }),
)

// ---- What one chose

type Chosen = { readonly place: Place | null }
const cursorOf = ({ place }: Chosen, _args: unknown, { app }: Context) => place && app.journal.cursor(place)
const cursorDescription = 'The place of the fact that this caused; null where it was so already.'

const SetPresenceModePayload = builder.objectRef<Chosen>('SetPresenceModePayload').implement({
  description: 'The answer to `setPresenceMode`.',
  fields: (t) => ({
    presenceMode: t.field({
      type: PresenceMode,
      description: 'What you want to be seen as now.',
      resolve: async (_done, _args, context) => (await readOwnStanding(context)).mode,
    }),
    cursor: t.field({ type: 'Cursor', nullable: true, description: cursorDescription, resolve: cursorOf }),
  }),
})
const SetPresenceModeInput = builder.inputType('SetPresenceModeInput', {
  description: 'What you want to be seen as.',
  fields: (t) => ({ presenceMode: t.field({ type: PresenceMode, description: 'On all devices, until you choose again.' }) }),
})
const SetLastActiveVisibilityPayload = builder.objectRef<Chosen>('SetLastActiveVisibilityPayload').implement({
  description: 'The answer to `setLastActiveVisibility`.',
  fields: (t) => ({
    lastActiveVisibility: t.field({
      type: LastActiveVisibility,
      description: 'Who may know it now.',
      resolve: async (_done, _args, context) => (await readOwnStanding(context)).visibility,
    }),
    cursor: t.field({ type: 'Cursor', nullable: true, description: cursorDescription, resolve: cursorOf }),
  }),
})
const SetLastActiveVisibilityInput = builder.inputType('SetLastActiveVisibilityInput', {
  description: 'Who may know when you were last active.',
  fields: (t) => ({ lastActiveVisibility: t.field({ type: LastActiveVisibility, description: 'Who.' }) }),
})

builder.mutationFields((t) => ({
  setPresenceMode: t.field({
    type: SetPresenceModePayload,
    description: 'Chooses what you are seen as. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetPresenceModeInput, description: 'What.' }) },
    resolve: async (_root, { input }, context) => ({
      place: await setPresenceMode(requireViewer(context), input.presenceMode, context.app),
    }),
  }),
  setLastActiveVisibility: t.field({
    type: SetLastActiveVisibilityPayload,
    description: 'Chooses who may know when you were last active. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: SetLastActiveVisibilityInput, description: 'Who.' }) },
    resolve: async (_root, { input }, context) => ({
      place: await setLastActiveVisibility(requireViewer(context), input.lastActiveVisibility, context.app),
    }),
  }),
}))

const PresenceSettingsChanged = factEvent(
  'PresenceSettingsChanged',
  'You have chosen what to be seen as, or who may know when you were active; perhaps on another device.',
)
builder.objectFields(PresenceSettingsChanged, (t) => ({
  presenceMode: t.field({
    type: PresenceMode,
    description: 'What you want to be seen as now.',
    resolve: async (_event, _args, context) => (await readOwnStanding(context)).mode,
  }),
  lastActiveVisibility: t.field({
    type: LastActiveVisibility,
    description: 'Who may know it now.',
    resolve: async (_event, _args, context) => (await readOwnStanding(context)).visibility,
  }),
}))
