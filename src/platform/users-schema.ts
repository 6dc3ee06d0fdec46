// The schema of what a backend does with users.

import { z } from 'zod'
import { findUser, findUsers, requireUser } from '../account/access.ts'
import type { SessionCredentials } from '../account/actions.ts'
import { externalIdForm, externalIdMax, externalIdRule, findNamed } from '../account/external-id.ts'
import { requireAbove, requireModerator } from '../account/moderators.ts'
import { credentialFields } from '../account/mutations.ts'
import { suspendUser, unsuspendUser } from '../account/operator-actions.ts'
import { DeviceKind, User } from '../account/schema.ts'
import { tenantForm, tenantRule } from '../account/tenant.ts'
import { deviceNameMax, displayNameMax, normaliseUsername, usernameForm, usernameRule } from '../account/username.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireKey } from '../graphql/context.ts'
import { customData, customDataRule } from '../graphql/custom-data.ts'
import { line, note, parseInput, requireFuture } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { encodeId, type UserId } from '../id.ts'
import type { ServerKey } from '../viewer.ts'
import { audited, recordModeration, userIds } from './audit.ts'
import { isFor } from './server-keys.ts'
import { readUsers } from './user-access.ts'
import { deleteUser, issueSession, upsertMax, upsertUsers } from './user-actions.ts'

const reasonMax = 500
const bioMax = 500

builder.objectField(User, 'externalId', (t) =>
  t.string({
    nullable: true,
    description:
      "The ID by which your backend knows the user, from `upsertUsers` or the identity provider's `sub`. Only server keys with the scope USERS see it; null for others, and for a user who signed up with a password.",
    resolve: ({ externalId }, _args, { caller }) => (caller.key?.scopes.includes('USERS') && !caller.viewer ? externalId : null),
  }),
)

builder.objectField(User, 'tenant', (t) =>
  t.string({
    nullable: true,
    description:
      'The tenant of the user; null for none. Only server keys with the scope USERS see it; null for others. You see only users of your own tenant.',
    resolve: ({ tenant }, _args, { caller }) => (caller.key?.scopes.includes('USERS') && !caller.viewer ? tenant : null),
  }),
)

builder.queryField('users', (t) =>
  t.connection(
    {
      type: User,
      description:
        'All users, the oldest first; with a key for one tenant, those of that tenant. Needs a server key with the scope USERS or READ. Errors: BAD_INPUT, FORBIDDEN.',
      complexity: pageCost,
      args: {
        query: t.arg.string({
          required: false,
          description:
            'Only the user with exactly this `externalId`, and those whose username or display name contains this text, in any case.',
        }),
      },
      resolve: (_root, { query, ...args }, context) => {
        const key = requireKey(context, 'USERS', 'READ')
        return readUsers(key, context, parseInput(z.object({ query: queryForm }), { query: query ?? '' }).query, args)
      },
    },
    { name: 'UserListConnection', description: 'A page of all users.' },
    { name: 'UserListEdge', description: 'A user on a page.' },
  ),
)
const queryForm = z
  .string()
  .max(externalIdMax, `must have at most ${externalIdMax} characters`)
  .refine((text) => !text.includes('\0') && text.isWellFormed(), 'must be a valid text')

/** The user that an input names, by an id or an external id. @throws ParleyError BAD_INPUT, NOT_FOUND, also of another tenant */
async function requireNamed(key: Pick<ServerKey, 'tenant'>, context: Context, name: string): Promise<UserId> {
  const userId = await findNamed(context.reader, context.app.config, name, 'input.userId')
  const user = userId === null ? null : await findUser(context, userId)
  if (!user || !isFor(key, user)) throw notFound('User')
  return user.id
}
const named = 'The user: the ID, or the `externalId`.'

const UpsertUserInput = builder.inputType('UpsertUserInput', {
  description: 'A user to make or to change. Omitted and null fields stay unchanged; a null `data` removes the data.',
  fields: (t) => ({
    externalId: t.string({
      description: `The ID by which your backend knows the user: ${externalIdRule}. With an identity provider, the \`sub\` of its tokens.`,
    }),
    username: t.string({
      required: false,
      description: `${usernameRule}. A new user gets one that is made up if you give none.`,
    }),
    displayName: t.string({
      required: false,
      description: `The name shown to other people: 1 to ${displayNameMax} characters. A new user gets the username by default.`,
    }),
    bio: t.string({ required: false, description: `What others read about the user: at most ${bioMax} characters.` }),
    tenant: t.string({
      required: false,
      description: `The tenant: ${tenantRule}. It cannot change. By default that of the key, or none.`,
    }),
    data: t.field({
      type: 'JSON',
      required: false,
      description: `Custom data: ${customDataRule}. All who see the user see it, and no user can change it. Null removes it.`,
    }),
  }),
})
const UpsertUsersInput = builder.inputType('UpsertUsersInput', {
  description: 'Input for `upsertUsers`.',
  fields: (t) => ({
    users: t.field({ type: [UpsertUserInput], description: `1 to ${upsertMax} users, each with another \`externalId\`.` }),
  }),
})
const upsertForm = z.object({
  users: z
    .array(
      z.object({
        externalId: externalIdForm,
        username: z
          .string()
          .transform(normaliseUsername)
          .refine((name) => usernameForm.test(name), `must have ${usernameRule}`)
          .nullish(),
        displayName: line(displayNameMax).nullish(),
        bio: note(bioMax).nullish(),
        tenant: tenantForm.nullish(),
        data: customData,
      }),
    )
    .min(1, 'must contain at least one user')
    .max(upsertMax, `must contain at most ${upsertMax} users`)
    .refine(
      (users) => new Set(users.map(({ externalId }) => externalId)).size === users.length,
      'must not contain an externalId twice',
    ),
})
const UpsertUsersPayload = builder.objectRef<{ readonly ids: readonly UserId[] }>('UpsertUsersPayload').implement({
  description: 'The result of `upsertUsers`.',
  fields: (t) => ({
    users: t.field({
      type: [User],
      description: 'The users as they are now, in the order of the input.',
      complexity: { field: 1, multiplier: upsertMax },
      resolve: async ({ ids }, _args, context) => [...(await findUsers(context, ids))],
    }),
  }),
})

const IssueSessionInput = builder.inputType('IssueSessionInput', {
  description: 'Input for `issueSession`.',
  fields: (t) => ({
    userId: t.id({ description: named }),
    deviceName: t.string({
      required: false,
      description: `The name under which \`sessions\` lists the device: 1 to ${deviceNameMax} characters on one line. By default the name of the key.`,
    }),
    deviceKind: t.field({ type: DeviceKind, required: false, description: 'The kind of device. Defaults to OTHER.' }),
  }),
})
const issueForm = z.object({
  deviceName: line(deviceNameMax).nullish(),
  deviceKind: z.custom<typeof DeviceKind.$inferType>().nullish(),
  userId: z.string(),
})
const IssueSessionPayload = builder.objectRef<SessionCredentials>('IssueSessionPayload')
IssueSessionPayload.implement({ description: 'The result of `issueSession`.', interfaces: [credentialFields] })

const SuspendUserInput = builder.inputType('SuspendUserInput', {
  description: 'Input for `suspendUser`.',
  fields: (t) => ({
    userId: t.id({ description: named }),
    reason: t.string({
      required: false,
      description: `Why, for the user to read at the next log-in: at most ${reasonMax} characters.`,
    }),
    until: t.field({
      type: 'DateTime',
      required: false,
      description: 'When the suspension ends by itself. Null or omitted: when it is lifted.',
    }),
  }),
})
const suspendForm = z.object({ userId: z.string(), reason: line(reasonMax).nullish(), until: z.date().nullish() })
const UnsuspendUserInput = builder.inputType('UnsuspendUserInput', {
  description: 'Input for `unsuspendUser`.',
  fields: (t) => ({ userId: t.id({ description: named }) }),
})
const DeleteUserInput = builder.inputType('DeleteUserInput', {
  description: 'Input for `deleteUser`.',
  fields: (t) => ({ userId: t.id({ description: named }) }),
})
const ChangedUser = (name: string, mutation: string) =>
  builder.objectRef<{ readonly userId: UserId }>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      user: t.field({
        type: User,
        description: 'The user.',
        resolve: ({ userId }, _args, context) => requireUser(context, userId),
      }),
    }),
  })
const SuspendUserPayload = ChangedUser('SuspendUserPayload', 'suspendUser')
const UnsuspendUserPayload = ChangedUser('UnsuspendUserPayload', 'unsuspendUser')
const DeleteUserPayload = builder.objectRef<{ readonly userId: UserId }>('DeleteUserPayload').implement({
  description: 'The result of `deleteUser`.',
  fields: (t) => ({
    userId: t.id({ description: 'The ID of the deleted user.', resolve: ({ userId }) => encodeId('User', userId) }),
  }),
})

builder.mutationFields((t) => ({
  upsertUsers: t.field({
    type: UpsertUsersPayload,
    complexity: 500,
    description:
      'Makes users of your product, or changes them, one after another. They need no password: open sessions for them with `issueSession`. Repeating it changes nothing; if it fails, the users before the one that `argument` names are done. Needs a server key with the scope USERS. Errors: BAD_INPUT, USERNAME_TAKEN, EXTERNAL_ID_TAKEN, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: UpsertUsersInput, description: 'The users.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'USERS')
      const { users } = parseInput(upsertForm, input)
      const given = users.map(({ externalId, username, displayName, bio, tenant, data }) => ({
        externalId,
        ...(username == null ? {} : { username }),
        ...(displayName == null ? {} : { displayName }),
        ...(bio == null ? {} : { bio }),
        ...(tenant == null ? {} : { tenant }),
        ...(data === undefined ? {} : { data }),
      }))
      const ids = await upsertUsers(key, given, context.app)
      await audited(context, 'upsertUsers', userIds(ids))
      return { ids }
    },
  }),
  issueSession: t.field({
    type: IssueSessionPayload,
    description:
      'Opens a session for a user that your backend has authenticated: pass the tokens on to the app on the device. Needs a server key with the scope USERS. Errors: BAD_INPUT, NOT_FOUND, ACCOUNT_SUSPENDED, FORBIDDEN.',
    args: { input: t.arg({ type: IssueSessionInput, description: 'The user and the device.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'USERS')
      const { userId: name, deviceName, deviceKind } = parseInput(issueForm, input)
      const device = { deviceName: deviceName ?? key.name, deviceKind: deviceKind ?? 'OTHER' }
      const userId = await requireNamed(key, context, name)
      await audited(context, 'issueSession', userIds([userId]))
      return issueSession(userId, device, context.app)
    },
  }),
  suspendUser: t.field({
    type: SuspendUserPayload,
    description:
      'Suspends a user, or changes a suspension: all sessions end on every node, none opens until the suspension ends or is lifted, and nobody acts for the user. Only for moderators, against users of a lower role, and for server keys with the scope MODERATE. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: SuspendUserInput, description: 'The user, the reason, and the end.' }) },
    resolve: async (_root, { input }, context) => {
      const by = await requireModerator(context)
      const { userId: name, reason = null, until = null } = parseInput(suspendForm, input)
      requireFuture('until', until, context.app.clock)
      const userId = await requireNamed(by, context, name)
      await requireAbove(context, by, userId)
      await recordModeration(context.app, by, 'suspendUser', userIds([userId]))
      await suspendUser(userId, { reason, until }, context.app)
      return { userId }
    },
  }),
  unsuspendUser: t.field({
    type: UnsuspendUserPayload,
    description:
      'Lifts a suspension. Does nothing if there is none. Only for moderators, and for server keys with the scope MODERATE. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { input: t.arg({ type: UnsuspendUserInput, description: 'The user.' }) },
    resolve: async (_root, { input }, context) => {
      const by = await requireModerator(context)
      const userId = await requireNamed(by, context, input.userId)
      await requireAbove(context, by, userId)
      await recordModeration(context.app, by, 'unsuspendUser', userIds([userId]))
      await unsuspendUser(userId, context.app)
      return { userId }
    },
  }),
  deleteUser: t.field({
    type: DeleteUserPayload,
    complexity: 500,
    description:
      'Deletes an account for ever, as `deleteAccount` does. Needs a server key with the scope USERS. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: DeleteUserInput, description: 'The user.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'USERS')
      const userId = await requireNamed(key, context, input.userId)
      await audited(context, 'deleteUser', userIds([userId]))
      await deleteUser(userId, context.app)
      return { userId }
    },
  }),
}))
