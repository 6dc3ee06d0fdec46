// People in the schema: profiles, search, the end of an account, and the direct conversations that end with it or by a block.

import { z } from 'zod'
import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { displayNameMax, normaliseUsername, usernameForm, usernameRule } from '../account/username.ts'
import { ifMember } from '../conversation/access.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { badInput } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { conversationOf, factEvent, subjectOf } from '../graphql/event.ts'
import { line, note, parseInput } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { encodeId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { findClosed, searchUsers } from './access.ts'
import { changeUsername, deleteAccount, updateProfile } from './actions.ts'

/** The longest bio, in characters. */
export const bioMax = 500
const queryMax = 100

const username = z.string().transform(normaliseUsername).pipe(z.string().regex(usernameForm, usernameRule))
const usernameInputForm = z.object({ username })
const profileForm = z.object({ displayName: line(displayNameMax).nullish(), bio: note(bioMax).nullish() })
const deleteForm = z.object({ password: z.string().max(1_000).nullish() })
const searchForm = z.object({ query: line(queryMax) })

builder.queryFields((t) => ({
  searchUsers: t.connection(
    {
      type: User,
      description:
        'People whose username or display name holds a text, whatever its case and accents: the best matches first. Nobody who has blocked you. Errors: BAD_INPUT.',
      args: { query: t.arg.string({ description: `1 to ${queryMax} characters; each stands for itself, also % and _.` }) },
      complexity: pageCost,
      resolve: (_root, { query, ...args }, context) => searchUsers(context, parseQuery(query), args),
    },
    { name: 'UserConnection', description: 'People, by page.' },
    { name: 'UserEdge', description: 'Somebody in a page.' },
  ),
}))

builder.objectFields(Conversation, (t) => ({
  isClosed: t.boolean({
    description:
      'Whether nobody can write in it: a direct conversation of two of whom one has blocked the other, or of whom one has gone. What was written stays.',
    resolve: ({ id }, _args, context) => ifMember<boolean>(context, id, () => findClosed(context, id), false),
  }),
}))

function parseQuery(query: string): string {
  const parsed = searchForm.safeParse({ query })
  if (parsed.success) return parsed.data.query
  throw badInput('query', parsed.error.issues[0]?.message ?? 'is not valid')
}

// ---- Mutations

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'What people shall read of you; what is left out or null stays as it is.',
  fields: (t) => ({
    displayName: t.string({ required: false, description: `Your name: 1 to ${displayNameMax} characters, on one line.` }),
    bio: t.string({ required: false, description: `What you say of yourself: up to ${bioMax} characters, or none.` }),
  }),
})
const ChangeUsernameInput = builder.inputType('ChangeUsernameInput', {
  description: 'A new username.',
  fields: (t) => ({
    username: t.string({ description: `${usernameRule}; stored in lower case. The rules are those of \`signUp\`.` }),
  }),
})
const DeleteAccountInput = builder.inputType('DeleteAccountInput', {
  description: 'The proof that it is you.',
  fields: (t) => ({
    password: t.string({
      required: false,
      description: 'Your password. Left out by those who come in through an identity provider, who have none here.',
    }),
  }),
})

/** Declares the payload of a mutation on oneself. */
function payload(mutation: string) {
  const name = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Payload`
  return builder.objectRef<{ place: Place | null }>(name).implement({
    description: `The answer to \`${mutation}\`.`,
    fields: (t) => ({
      viewer: t.field({
        type: User,
        description: 'You, as people see you now.',
        resolve: (_done, _args, context) => requireUser(context, requireViewer(context).userId),
      }),
      cursor: t.field({
        type: 'Cursor',
        nullable: true,
        description: 'The place of the last fact that this caused; null where nothing had to change.',
        resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
      }),
    }),
  })
}
const UpdateProfilePayload = payload('updateProfile')
const ChangeUsernamePayload = payload('changeUsername')
const DeleteAccountPayload = builder.objectRef<{ userId: number }>('DeleteAccountPayload').implement({
  description: 'The answer to `deleteAccount`: your last one.',
  fields: (t) => ({
    userId: t.id({ description: 'The id that you had.', resolve: ({ userId }) => encodeId('User', userId) }),
  }),
})

builder.mutationFields((t) => ({
  updateProfile: t.field({
    type: UpdateProfilePayload,
    description: 'Changes what people read of you. Errors: BAD_INPUT.',
    args: { input: t.arg({ type: UpdateProfileInput, description: 'What shall change.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const { displayName, bio } = parseInput(profileForm, input)
      const profile = { ...(displayName == null ? {} : { displayName }), ...(bio == null ? {} : { bio }) }
      return { place: await updateProfile(viewer, profile, context.app) }
    },
  }),
  changeUsername: t.field({
    type: ChangeUsernamePayload,
    description: 'Changes your username; the old one is free at once. Errors: BAD_INPUT, USERNAME_TAKEN.',
    args: { input: t.arg({ type: ChangeUsernameInput, description: 'The new one.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      return { place: await changeUsername(viewer, parseInput(usernameInputForm, input).username, context.app) }
    },
  }),
  deleteAccount: t.field({
    type: DeleteAccountPayload,
    description:
      'Deletes your account, for ever: ends your sessions, leaves your groups, removes your contacts, blocks, names and bio. What you wrote stays with those whom you wrote to, without your name. Errors: BAD_INPUT, INVALID_CREDENTIALS, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: DeleteAccountInput, description: 'The proof that it is you.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      await deleteAccount(viewer, parseInput(deleteForm, input).password ?? null, context.app)
      return viewer
    },
  }),
}))

// ---- Events

builder.objectField(
  factEvent('UserUpdated', 'Somebody whom you know, or you yourself, has changed a name or the bio, or has deleted the account.'),
  'user',
  (t) =>
    t.field({
      shared: true,
      type: User,
      description: 'Who, as they are now.',
      resolve: (event, _args, context) => requireUser(context, subjectOf(event)),
    }),
)

const ConversationClosed = factEvent(
  'ConversationClosed',
  'A direct conversation was closed: nobody writes in it until further notice. May come twice for one cause.',
)
const ConversationReopened = factEvent('ConversationReopened', 'A direct conversation goes on. May come twice for one cause.')
for (const ref of [ConversationClosed, ConversationReopened]) {
  builder.objectField(ref, 'conversation', (t) =>
    t.field({
      shared: true,
      type: Conversation,
      description: 'Which one.',
      resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
    }),
  )
}
