// The schema of devices.

import { z } from 'zod'
import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireSessionViewer, requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { bytesUpTo, line, parseInput } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { cursorField } from '../graphql/payload.ts'
import { type DeviceId, deviceIdOf, parseId } from '../id.ts'
import { payloadOf } from '../journal/kind.ts'
import { findDevice, findVisibleDevice, readDevices } from './access.ts'
import { bindDevice, type DoneToDevice, registerDevice, removeDevice } from './device-actions.ts'
import { encryptionKinds } from './events.ts'
import { type DeviceRow, ed25519 } from './row.ts'

/** The longest name of a device, in characters. */
const nameMax = 100

export const Device = builder.objectRef<DeviceRow>('Device')
builder.node(Device, {
  description:
    'A device of a user that takes part in encrypted conversations. The list of the devices of a user only grows: one that is gone says so.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadManyWithoutCache: (ids, context) => Promise.all(ids.map((id) => findVisibleDevice(context, deviceIdOf(id)))),
  fields: (t) => ({
    user: t.field({
      shared: true,
      type: User,
      description: 'Whose device it is.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    name: t.exposeString('name', {
      shared: true,
      description: 'The name that its user gave it; empty if the account was deleted.',
    }),
    signatureKey: t.expose('signatureKey', {
      shared: true,
      type: 'Base64',
      description:
        'Its public Ed25519 key. The server hands it out, so compare it outside Parley (a safety number, a QR code) before you trust it.',
    }),
    addedAt: t.expose('addedAt', { shared: true, type: 'DateTime', description: 'When it was registered.' }),
    removedAt: t.expose('removedAt', {
      shared: true,
      type: 'DateTime',
      nullable: true,
      description:
        'Since when it is gone: its user removed it, or its session ended. Null while it is there. After a new log-in it may come back.',
    }),
  }),
})

/** Finds a device without a permission check. @throws ParleyError NOT_FOUND */
export async function requireDevice(context: Context, deviceId: DeviceId): Promise<DeviceRow> {
  const device = await findDevice(context, deviceId)
  if (!device) throw notFound('Device')
  return device
}

builder.objectField(User, 'devices', (t) =>
  t.connection(
    {
      type: Device,
      description:
        'The devices of the user for encrypted conversations, oldest first, including removed ones. Empty unless the user is you, a contact of yours, or in a conversation with you.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readDevices(context, id, args),
    },
    { name: 'DeviceConnection', description: 'A page of devices.' },
    { name: 'DeviceEdge', description: 'A device on a page.' },
  ),
)

builder.queryFields((t) => ({
  deviceChallenge: t.field({
    type: 'Base64',
    description:
      'What a device signs for `bindDevice`. It belongs to your session, and is accepted for at least 5 minutes. Errors: FORBIDDEN for a server key.',
    resolve: (_root, _args, context) => context.app.challenges.current(requireSessionViewer(context).sessionId),
  }),
}))

// ---- Devices

function devicePayload(name: string, mutation: string) {
  return builder.objectRef<DoneToDevice>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      device: t.field({
        type: Device,
        description: 'The device in its current state.',
        resolve: ({ deviceId }, _args, context) => requireDevice(context, deviceId),
      }),
      cursor: cursorField(t),
    }),
  })
}

const RegisterDeviceInput = builder.inputType('RegisterDeviceInput', {
  description: 'Input for `registerDevice`.',
  fields: (t) => ({
    name: t.string({ description: `What you call the device: 1 to ${nameMax} characters on one line. Others see it.` }),
    signatureKey: t.field({ type: 'Base64', description: 'Its public Ed25519 key, 32 bytes.' }),
    signature: t.field({
      type: 'Base64',
      description:
        'An Ed25519 signature (RFC 8032), 64 bytes, by this key, of three lines joined by U+000A: `parley.device.register.v1`, the ID of your user, and `signatureKey` in base64.',
    }),
  }),
})
const BindDeviceInput = builder.inputType('BindDeviceInput', {
  description: 'Input for `bindDevice`.',
  fields: (t) => ({
    deviceId: t.id({ description: 'The ID of your device.' }),
    signature: t.field({
      type: 'Base64',
      description:
        'An Ed25519 signature by the key of the device, of three lines joined by U+000A: `parley.device.bind.v1`, the ID of the device, and the value of `deviceChallenge`.',
    }),
  }),
})
const RemoveDeviceInput = builder.inputType('RemoveDeviceInput', {
  description: 'Input for `removeDevice`.',
  fields: (t) => ({ deviceId: t.id({ description: 'The ID of your device.' }) }),
})

const signature = bytesUpTo(ed25519.signatureBytes)
const registerForm = z.object({ name: line(nameMax), signatureKey: bytesUpTo(ed25519.keyBytes), signature })
const bindForm = z.object({ signature })

builder.mutationFields((t) => ({
  registerDevice: t.field({
    type: devicePayload('RegisterDevicePayload', 'registerDevice'),
    description:
      'Registers the device of your session for encrypted conversations, the first time. Everybody in your encrypted conversations hears of it. The same again changes nothing. Errors: BAD_INPUT, FORBIDDEN if the session has another device or if this one is known (then `bindDevice`), LIMIT_EXCEEDED, RATE_LIMITED.',
    args: { input: t.arg({ type: RegisterDeviceInput, description: 'The device, and the proof that it has its key.' }) },
    resolve: (_root, { input }, context) =>
      registerDevice(requireSessionViewer(context), parseInput(registerForm, input), context.app),
  }),
  bindDevice: t.field({
    type: devicePayload('BindDevicePayload', 'bindDevice'),
    description:
      'Binds a device to your session, after a new log-in on it. If it was gone because its session ended, it comes back. Errors: BAD_INPUT if the signature is not right, NOT_FOUND if you have no such device or removed it, FORBIDDEN if the session has another device, LIMIT_EXCEEDED, RATE_LIMITED.',
    args: { input: t.arg({ type: BindDeviceInput, description: 'The device, and the proof that it has its key.' }) },
    resolve: (_root, { input }, context) => {
      const deviceId = parseId('Device', input.deviceId, 'input.deviceId')
      return bindDevice(requireSessionViewer(context), deviceId, parseInput(bindForm, input).signature, context.app)
    },
  }),
  removeDevice: t.field({
    type: devicePayload('RemoveDevicePayload', 'removeDevice'),
    description:
      'Removes one of your devices from encrypted conversations for ever; its session stays. Each of them needs a commit before the next message. Again, it changes nothing. Errors: NOT_FOUND.',
    args: { input: t.arg({ type: RemoveDeviceInput, description: 'The device.' }) },
    resolve: (_root, { input }, context) =>
      removeDevice(requireViewer(context), parseId('Device', input.deviceId, 'input.deviceId'), context.app),
  }),
}))

// ---- Events

const DeviceChange = builder.enumType('DeviceChange', {
  description: 'What happened to a device.',
  values: {
    ADDED: { description: 'It was registered, or came back after a new log-in.' },
    REMOVED: { description: 'Its user removed it, or its session ended.' },
  } as const,
})
const { DevicesChanged: kind } = encryptionKinds
const DevicesChanged = factEvent(
  kind,
  'A device of yours, or of somebody in an encrypted conversation with you, appeared or is gone. You receive one for each such conversation.',
)
builder.objectFields(DevicesChanged, (t) => ({
  user: t.field({
    shared: true,
    type: User,
    description: 'Whose device it is.',
    resolve: ({ item }, _args, context) => requireUser(context, payloadOf(kind, item.fact).userId),
  }),
  device: t.field({
    shared: true,
    type: Device,
    description: 'The device in its current state.',
    resolve: (event, _args, context) => requireDevice(context, deviceIdOf(subjectOf(event))),
  }),
  change: t.field({
    shared: true,
    type: DeviceChange,
    description: 'What happened.',
    resolve: ({ item }) => payloadOf(kind, item.fact).change,
  }),
  inConversation: t.field({
    shared: true,
    type: Conversation,
    nullable: true,
    description:
      'The encrypted conversation in which you hear of it; null for the event that the user of the device receives besides. After REMOVED it needs a commit.',
    resolve: ({ item }, _args, context) => {
      const { conversationId } = item.fact
      return conversationId === null ? null : requireConversation(context, conversationId)
    },
  }),
}))
