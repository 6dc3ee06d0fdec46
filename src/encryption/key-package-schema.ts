// The schema of key packages.

import { z } from 'zod'
import { builder } from '../graphql/builder.ts'
import { requireSessionViewer } from '../graphql/context.ts'
import { bytesUpTo, parseInput } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import { countKeyPackages } from './access.ts'
import { Device, requireDevice } from './device-schema.ts'
import { type ClaimedKeyPackage, claimKeyPackages, uploadKeyPackages } from './key-package-actions.ts'
import { encryptionLimits } from './row.ts'

builder.queryFields((t) => ({
  keyPackageCount: t.int({
    description:
      'How many key packages others can still claim of the device of your session, without the last resort; 0 if it has no device. Upload new ones before they run out.',
    resolve: (_root, _args, context) => countKeyPackages(requireSessionViewer(context), context.reader),
  }),
}))

const UploadKeyPackagesInput = builder.inputType('UploadKeyPackagesInput', {
  description: 'Input for `uploadKeyPackages`.',
  fields: (t) => ({
    keyPackages: t.field({
      type: ['Base64'],
      description: `MLS key packages, each for one use, of at most ${encryptionLimits.keyPackageBytes} bytes. A device has at most ${encryptionLimits.keyPackages}, which last for 90 days.`,
    }),
    lastResort: t.field({
      type: 'Base64',
      required: false,
      description: 'The key package that is used when there is no other, any number of times. Replaces the former one.',
    }),
  }),
})
const UploadKeyPackagesPayload = builder.objectRef<{ readonly count: number }>('UploadKeyPackagesPayload').implement({
  description: 'The result of `uploadKeyPackages`.',
  fields: (t) => ({
    count: t.exposeInt('count', { description: 'How many key packages for one use the device has now.' }),
  }),
})
const ClaimKeyPackagesInput = builder.inputType('ClaimKeyPackagesInput', {
  description: 'Input for `claimKeyPackages`.',
  fields: (t) => ({
    userIds: t.idList({
      description: `The IDs of the users, at most ${encryptionLimits.claimedUsers}; your own for your other devices.`,
    }),
  }),
})
const Claimed = builder.objectRef<ClaimedKeyPackage>('ClaimedKeyPackage').implement({
  description: 'A key package of a device, with which you add it to a group.',
  fields: (t) => ({
    device: t.field({
      type: Device,
      description: 'The device.',
      resolve: ({ deviceId }, _args, context) => requireDevice(context, deviceId),
    }),
    keyPackage: t.expose('keyPackage', { type: 'Base64', description: 'The key package.' }),
  }),
})
const ClaimKeyPackagesPayload = builder
  .objectRef<{ readonly keyPackages: readonly ClaimedKeyPackage[] }>('ClaimKeyPackagesPayload')
  .implement({
    description: 'The result of `claimKeyPackages`.',
    fields: (t) => ({
      keyPackages: t.field({
        type: [Claimed],
        complexity: { field: 1, multiplier: 100 },
        description: 'One for each device of the users. A device without any is left out.',
        resolve: ({ keyPackages }) => [...keyPackages],
      }),
    }),
  })

const keyPackage = bytesUpTo(encryptionLimits.keyPackageBytes)
const uploadForm = z.object({
  keyPackages: z.array(keyPackage).max(encryptionLimits.keyPackages, `must have at most ${encryptionLimits.keyPackages} items`),
  lastResort: keyPackage.nullish(),
})
const claimForm = z.object({
  userIds: z
    .array(z.string())
    .min(1, 'must contain at least one ID')
    .max(encryptionLimits.claimedUsers, `must have at most ${encryptionLimits.claimedUsers} IDs`),
})

builder.mutationFields((t) => ({
  uploadKeyPackages: t.field({
    type: UploadKeyPackagesPayload,
    description:
      'Stores key packages of the device of your session, so that others can add it to groups while it is away. Errors: BAD_INPUT, FORBIDDEN if your session has no device, LIMIT_EXCEEDED, RATE_LIMITED.',
    args: { input: t.arg({ type: UploadKeyPackagesInput, description: 'The key packages.' }) },
    resolve: async (_root, { input }, context) => {
      const { keyPackages, lastResort } = parseInput(uploadForm, input)
      const given = { keyPackages, lastResort: lastResort ?? null }
      return { count: await uploadKeyPackages(requireSessionViewer(context), given, context.app) }
    },
  }),
  claimKeyPackages: t.field({
    type: ClaimKeyPackagesPayload,
    description:
      'Takes a key package of each device of some users, but not of the device of your session. Nobody else gets the same one, unless it is the last resort. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN if a user does not accept messages from you and is in no encrypted conversation with you (`argument` names them: `input.userIds.0`), RATE_LIMITED.',
    args: { input: t.arg({ type: ClaimKeyPackagesInput, description: 'The users.' }) },
    resolve: async (_root, { input }, context) => {
      const { userIds } = parseInput(claimForm, input)
      const ids = userIds.map((id, i) => parseId('User', id, `input.userIds.${i}`))
      return { keyPackages: await claimKeyPackages(requireSessionViewer(context), ids, context.app) }
    },
  }),
}))
