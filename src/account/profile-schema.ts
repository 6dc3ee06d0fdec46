// The schema of profiles, user search and account deletion.

import { z } from 'zod'
import { avatarChange } from '../attachment/avatar-actions.ts'
import { builder } from '../graphql/builder.ts'
import { requireSessionViewer, requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { line, note, parseInput } from '../graphql/input.ts'
import { searchCost } from '../graphql/page.ts'
import { cursorField } from '../graphql/payload.ts'
import { encodeId, type UserId, userIdOf } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { requireUser } from './access.ts'
import { accountKinds } from './events.ts'
import { typedPassword } from './mutations.ts'
import { passwordCost } from './password.ts'
import { searchUsers } from './people-access.ts'
import { changeUsername, deleteAccount } from './profile-actions.ts'
import { User, UserConnection, UserEdge } from './schema.ts'
import { parseSearchText, searchTextMax } from './search-text.ts'
import { displayNameMax, normaliseUsername, usernameForm, usernameRule } from './username.ts'

/** The longest bio, in characters. */
export const bioMax = 500

const username = z
  .string()
  .transform(normaliseUsername)
  .pipe(z.string().regex(usernameForm, `must have ${usernameRule}`))
const usernameInputForm = z.object({ username })
const profileForm = z.object({ displayName: line(displayNameMax).nullish(), bio: note(bioMax).nullish() })
const deleteForm = z.object({ password: typedPassword.nullish() })

builder.queryFields((t) => ({
  searchUsers: t.connection(
    {
      type: User,
      description:
        'Finds users whose username or display name contains a text, best matches first. Ignores case, accents and everything else that `searchMessages` ignores, and an @ before the text. Omits users who have blocked you. Errors: BAD_INPUT.',
      args: {
        query: t.arg.string({
          description: `The text to search for: 1 to ${searchTextMax} characters. There are no wildcards: % and _ stand for themselves.`,
        }),
      },
      complexity: searchCost,
      resolve: (_root, { query, ...args }, context) => searchUsers(context, parseSearchText(query), args),
    },
    UserConnection,
    UserEdge,
  ),
}))

// ---- Mutations

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'Input for `updateProfile`. Fields that you omit stay unchanged, and so do null ones but for `avatarId`.',
  fields: (t) => ({
    displayName: t.string({
      required: false,
      description: `The name shown to other people: 1 to ${displayNameMax} characters on one line.`,
    }),
    bio: t.string({
      required: false,
      description: `What you say about yourself: up to ${bioMax} characters, or an empty string to remove it.`,
    }),
    avatarId: t.id({
      required: false,
      description:
        'The ID of an attachment that you have uploaded for this purpose. Null removes the picture. The file of the former one is deleted.',
    }),
  }),
})
const ChangeUsernameInput = builder.inputType('ChangeUsernameInput', {
  description: 'Input for `changeUsername`.',
  fields: (t) => ({
    username: t.string({ description: `${usernameRule}. Stored in lower case. The rules are the same as in \`signUp\`.` }),
  }),
})
const DeleteAccountInput = builder.inputType('DeleteAccountInput', {
  description: 'Input for `deleteAccount`.',
  fields: (t) => ({
    password: t.string({
      required: false,
      description:
        'Your password. Omit it if you log in through an identity provider, because you have no password on this server.',
    }),
  }),
})

/** Declares the payload of a mutation on the viewer's own account. */
function payload(mutation: string) {
  const name = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Payload`
  return builder.objectRef<{ place: Place | null }>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      viewer: t.field({
        type: User,
        description: 'You, as other people see you now.',
        resolve: (_done, _args, context) => requireUser(context, requireViewer(context).userId),
      }),
      cursor: cursorField(t),
    }),
  })
}
const UpdateProfilePayload = payload('updateProfile')
const ChangeUsernamePayload = payload('changeUsername')
const DeleteAccountPayload = builder.objectRef<{ userId: UserId }>('DeleteAccountPayload').implement({
  description: 'The result of `deleteAccount`.',
  fields: (t) => ({
    userId: t.id({ description: 'The ID of the deleted account.', resolve: ({ userId }) => encodeId('User', userId) }),
  }),
})

builder.mutationFields((t) => ({
  updateProfile: t.field({
    type: UpdateProfilePayload,
    description:
      'Changes your display name, bio or picture. Changes in quick succession are written together, so the answer to the second may take some seconds. Errors: BAD_INPUT, NOT_FOUND, UPLOAD_INCOMPLETE, FILE_REFUSED, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: UpdateProfileInput, description: 'The fields to change.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const { displayName, bio } = parseInput(profileForm, input)
      const profile = {
        ...(displayName == null ? {} : { displayName }),
        ...(bio == null ? {} : { bio }),
        ...(await avatarChange(viewer, input.avatarId, context.app)),
      }
      return { place: await context.app.profileChanges.add(viewer.userId, profile) }
    },
  }),
  changeUsername: t.field({
    type: ChangeUsernamePayload,
    description:
      'Changes your username. Anyone can take the old one immediately. Errors: BAD_INPUT, USERNAME_TAKEN, RATE_LIMITED.',
    args: { input: t.arg({ type: ChangeUsernameInput, description: 'The new username.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      return { place: await changeUsername(viewer, parseInput(usernameInputForm, input).username, context.app) }
    },
  }),
  deleteAccount: t.field({
    type: DeleteAccountPayload,
    complexity: passwordCost,
    description:
      'Deletes your account permanently: ends your sessions, leaves your groups, and removes your contacts, blocks, names and bio. The messages that you sent stay in their conversations, without your name. Errors: BAD_INPUT, INVALID_CREDENTIALS, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: DeleteAccountInput, description: 'Your password, which confirms the deletion.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireSessionViewer(context)
      await deleteAccount(viewer, parseInput(deleteForm, input).password ?? null, context.app)
      return viewer
    },
  }),
}))

// ---- Events

builder.objectField(
  factEvent(accountKinds.UserUpdated, 'You or a user you know changed a name or the bio, or deleted the account.'),
  'user',
  (t) =>
    t.field({
      shared: true,
      type: User,
      description: 'The user in their current state.',
      resolve: (event, _args, context) => requireUser(context, userIdOf(subjectOf(event))),
    }),
)
