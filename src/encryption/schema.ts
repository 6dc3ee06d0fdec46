// The schema of encrypted conversations: their epochs, commits and Welcomes.

import { z } from 'zod'
import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { ifShown } from '../conversation/access.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { requireSessionViewer } from '../graphql/context.ts'
import { conversationOf, factEvent, subjectOf } from '../graphql/event.ts'
import { bytesUpTo, parseInput } from '../graphql/input.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { deviceIdOf, parseId, userIdOf } from '../id.ts'
import { parseCursor } from '../journal/cursor.ts'
import { payloadOf } from '../journal/kind.ts'
import { findCommit, findEpoch, findGroupInfo, findWelcome } from './access.ts'
import { commitEpoch } from './commit-actions.ts'
import { Device, requireDevice } from './device-schema.ts'
import { encryptionKinds } from './events.ts'
import { encryptionLimits } from './row.ts'

builder.objectFields(Conversation, (t) => ({
  epoch: t.int({
    nullable: true,
    description:
      'The newest epoch of an encrypted conversation; 0 before the first commit. Null in a plain conversation, or if you are not a member.',
    resolve: ({ id, encryption }, _args, context) =>
      encryption === 'NONE'
        ? null
        : ifShown(context, id, () => mapMaybePromise(findEpoch(context, id), (found) => found?.epoch ?? 0), null),
  }),
  groupInfo: t.field({
    type: 'Base64',
    nullable: true,
    description:
      'The GroupInfo of the newest epoch, as its committer published it: with it, a device that lost its state, or has none yet, joins by an external commit. Null before the first commit, in a plain conversation, or if you are not a member.',
    resolve: ({ id, encryption }, _args, context) =>
      encryption === 'NONE' ? null : ifShown(context, id, () => findGroupInfo(context, id), null),
  }),
  needsRekey: t.boolean({
    description:
      'Whether somebody left an encrypted conversation, or a device of a member is gone, and no commit came since. Messages are refused with REKEY_REQUIRED until any member has committed.',
    resolve: ({ id, encryption }, _args, context) =>
      encryption === 'NONE'
        ? false
        : ifShown(context, id, () => mapMaybePromise(findEpoch(context, id), (found) => found?.needsRekey ?? false), false),
  }),
}))

// ---- Commits

const WelcomeInput = builder.inputType('WelcomeInput', {
  description: 'A Welcome for a device that a commit adds.',
  fields: (t) => ({
    deviceId: t.id({ description: 'The ID of the device. Its user must be a member.' }),
    welcome: t.field({
      type: 'Base64',
      description: `The MLS Welcome, of at most ${encryptionLimits.welcomeBytes} bytes. It is shorter without the ratchet tree, which \`groupInfo\` has.`,
    }),
  }),
})
const CommitEpochInput = builder.inputType('CommitEpochInput', {
  description: 'Input for `commitEpoch`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the encrypted conversation.' }),
    epoch: t.int({ description: 'The epoch that the commit was made for. It must be the newest one.' }),
    commit: t.field({
      type: 'Base64',
      description: `The MLS message with the commit, of at most ${encryptionLimits.commitBytes} bytes. A retry must send the same bytes.`,
    }),
    welcomes: t.field({
      type: [WelcomeInput],
      defaultValue: [],
      description: `The Welcomes for the devices that it adds, at most ${encryptionLimits.welcomes}.`,
    }),
    groupInfo: t.field({
      type: 'Base64',
      description: `The GroupInfo of the new epoch, with the ratchet tree, of at most ${encryptionLimits.groupInfoBytes} bytes.`,
    }),
    seen: t.field({
      type: 'Cursor',
      required: false,
      description:
        'Up to where your device had processed `events` when it made the commit. If somebody left after that, the commit cannot have removed them, and is refused with EPOCH_CONFLICT. Without it, any commit ends `needsRekey`: send it always.',
    }),
  }),
})

const commitForm = z.object({
  conversationId: z.string(),
  epoch: z.int().min(0, 'must not be negative').max(2_147_483_646, 'is too large'),
  commit: bytesUpTo(encryptionLimits.commitBytes),
  groupInfo: bytesUpTo(encryptionLimits.groupInfoBytes),
  welcomes: z
    .array(z.object({ deviceId: z.string(), welcome: bytesUpTo(encryptionLimits.welcomeBytes) }))
    .max(encryptionLimits.welcomes, `must have at most ${encryptionLimits.welcomes} items`),
})

builder.mutationField('commitEpoch', (t) =>
  t.field({
    type: conversationPayload('CommitEpochPayload', 'commitEpoch'),
    description:
      'Moves an encrypted conversation to its next epoch. Of several commits for one epoch, the first wins; the others get EPOCH_CONFLICT, with the `cursor` of the winner in `extensions`. Apply your own commit when its event comes, not before. The same commit again returns the first result, so if you get no answer, send it again. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN if your session has no device, EPOCH_CONFLICT, ENCRYPTION_REQUIRED for a plain conversation, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: CommitEpochInput, description: 'The commit.' }) },
    resolve: (_root, { input }, context) => {
      const viewer = requireSessionViewer(context)
      const form = parseInput(commitForm, input)
      const commit = {
        conversationId: parseId('Conversation', form.conversationId, 'input.conversationId'),
        epoch: form.epoch,
        commit: form.commit,
        groupInfo: form.groupInfo,
        seen: input.seen == null ? null : parseCursor(input.seen, 'input.seen').position,
        welcomes: form.welcomes.map(({ deviceId, welcome }, i) => ({
          deviceId: parseId('Device', deviceId, `input.welcomes.${i}.deviceId`),
          welcome,
        })),
      }
      return commitEpoch(viewer, commit, context.app)
    },
  }),
)

// ---- Events

const { EpochCommitted: epochKind, WelcomeReceived: welcomeKind } = encryptionKinds

const EpochCommitted = factEvent(
  epochKind,
  'An encrypted conversation moved to its next epoch. Apply the commit, also your own; messages of the new epoch follow.',
)
builder.objectFields(EpochCommitted, (t) => ({
  conversation: t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation.',
    resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
  }),
  epoch: t.int({
    shared: true,
    description: 'The new epoch: the one that the commit was made for, and 1.',
    resolve: ({ item }) => payloadOf(epochKind, item.fact).epoch,
  }),
  commit: t.field({
    shared: true,
    type: 'Base64',
    description:
      'The commit, as its device sent it. Empty if it is older than the server keeps: join again with the `groupInfo` of the conversation.',
    resolve: ({ item }, _args, context) => mapMaybePromise(findCommit(context, item.fact.position), (bytes) => bytes ?? ''),
  }),
  sender: t.field({
    shared: true,
    type: User,
    description: 'Who committed.',
    resolve: ({ item }, _args, context) => requireUser(context, userIdOf(item.fact.actorId ?? 0)),
  }),
  device: t.field({
    shared: true,
    type: Device,
    description: 'The device that committed.',
    resolve: (event, _args, context) => requireDevice(context, deviceIdOf(subjectOf(event))),
  }),
}))

const WelcomeReceived = factEvent(
  welcomeKind,
  'A device of yours was added to an encrypted conversation. All your devices hear of it; only the named one can open the Welcome.',
)
builder.objectFields(WelcomeReceived, (t) => ({
  conversation: t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation.',
    resolve: ({ item }, _args, context) => requireConversation(context, payloadOf(welcomeKind, item.fact).conversationId),
  }),
  device: t.field({
    shared: true,
    type: Device,
    description: 'The device that was added.',
    resolve: (event, _args, context) => requireDevice(context, deviceIdOf(subjectOf(event))),
  }),
  epoch: t.int({
    shared: true,
    description: 'The epoch in which the device joins.',
    resolve: ({ item }) => payloadOf(welcomeKind, item.fact).epoch,
  }),
  welcome: t.field({
    shared: true,
    type: 'Base64',
    description: 'The Welcome. Empty if it is older than the server keeps: join with the `groupInfo` of the conversation.',
    resolve: ({ item }, _args, context) => mapMaybePromise(findWelcome(context, item.fact.position), (bytes) => bytes ?? ''),
  }),
}))
