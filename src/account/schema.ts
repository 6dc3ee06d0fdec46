// The schema of accounts: users and sessions.

import { findAttachment, shownToAll } from '../attachment/access.ts'
import { Attachment } from '../attachment/schema.ts'
import { badInput, notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { readCustomData } from '../graphql/custom-data.ts'
import { asHearer, factEvent, subjectOf } from '../graphql/event.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { parseId, sessionIdOf, userIdOf } from '../id.ts'
import {
  findFellow,
  findSession,
  findUserByUsername,
  readOpenSessions,
  requireUser,
  type SessionRow,
  type UserRow,
} from './access.ts'
import { accountKinds } from './events.ts'
import { displayNameMax, usernameRule } from './username.ts'

export const User = builder.objectRef<UserRow>('User')
builder.node(User, {
  description: 'A person, with the public profile that every user of the same tenant can see.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadManyWithoutCache: async (ids, context) => {
    requireViewer(context)
    return Promise.all(ids.map((id) => findFellow(context, userIdOf(id))))
  },
  fields: (t) => ({
    username: t.exposeString('username', {
      shared: true,
      description: `The unique name by which \`user(username:)\` finds the user: ${usernameRule}. For a deleted account, \`~\` and a number.`,
    }),
    displayName: t.exposeString('displayName', {
      shared: true,
      description: `The name shown to other people: 1 to ${displayNameMax} characters, not unique.`,
    }),
    bio: t.exposeString('bio', { shared: true, description: 'What the user says about themselves; empty if they say nothing.' }),
    data: t.field({
      shared: true,
      type: 'JSON',
      nullable: true,
      description: 'Custom data that the backend of the app keeps with the user, with `upsertUsers`; null if there is none.',
      resolve: ({ data }) => readCustomData(data),
    }),
    avatar: t.field({
      type: Attachment,
      nullable: true,
      shared: true,
      description: 'The picture of the user, which is square; null if there is none.',
      resolve: ({ avatarId }, _args, context) =>
        avatarId === null ? null : mapMaybePromise(findAttachment(context, avatarId), (found) => found && shownToAll(found)),
    }),
    createdAt: t.expose('createdAt', { shared: true, type: 'DateTime', description: 'When the account was created.' }),
    isDeleted: t.exposeBoolean('isDeleted', {
      shared: true,
      description:
        'Whether the account was deleted. A deleted user has a placeholder name and no bio, and appears only where other data still refers to it.',
    }),
  }),
})

/** A user on a page. */
export const UserEdge = builder.edgeObject({ type: User, name: 'UserEdge', description: 'A user on a page.' })
/** A page of users. */
export const UserConnection = builder.connectionObject(
  { type: User, name: 'UserConnection', description: 'A page of users.' },
  UserEdge,
)

export const DeviceKind = builder.enumType('DeviceKind', {
  description: 'The kind of a device, as reported by the device itself.',
  values: {
    WEB: { description: 'A web browser.' },
    DESKTOP: { description: 'A desktop app.' },
    PHONE: { description: 'A phone app.' },
    TABLET: { description: 'A tablet app.' },
    OTHER: { description: 'Any other device, or a device that did not report its kind.' },
  } as const,
})

export const Session = builder.objectRef<SessionRow>('Session')
builder.node(Session, {
  description: 'A login on one device. Visible only to its own user.',
  id: { resolve: ({ id }) => String(id) },
  loadManyWithoutCache: async (ids, context) => {
    const viewer = requireViewer(context)
    return Promise.all(ids.map((id) => findSession(viewer, sessionIdOf(id), context.reader)))
  },
  fields: (t) => ({
    deviceName: t.exposeString('deviceName', { description: 'The name that the device chose when it logged in.' }),
    deviceKind: t.expose('deviceKind', { type: DeviceKind, description: 'The kind of device.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the device logged in.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      description: 'When the session was last used, accurate to about a minute.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the session expires unless it is refreshed.' }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the session was ended; null while it is open.',
    }),
    syncedUntil: t.expose('syncedUntil', {
      type: 'DateTime',
      nullable: true,
      description:
        'The device has stored everything that happened up to this time, as it reported with `acknowledge`; null if it has never reported.',
    }),
    isCurrent: t.boolean({
      description: 'Whether this is the session that makes this request.',
      resolve: ({ id }, _args, { caller }) => caller.viewer?.sessionId === id,
    }),
  }),
})

builder.queryFields((t) => ({
  viewer: t.field({
    type: User,
    description: 'The current user.',
    resolve: async (_root, _args, context) => requireUser(context, requireViewer(context).userId),
  }),
  user: t.field({
    type: User,
    nullable: true,
    description: 'Finds a user by username or ID; null if there is no such user. Errors: BAD_INPUT unless you give exactly one.',
    args: {
      username: t.arg.string({
        required: false,
        description: 'The username. Case and Unicode compatibility forms make no difference.',
      }),
      id: t.arg.id({ required: false, description: 'The ID of the user.' }),
    },
    resolve: (_root, { username, id }, context) => {
      const viewer = requireViewer(context)
      if (id != null && username == null) return findFellow(context, parseId('User', id, 'id'))
      if (username != null && id == null) return findUserByUsername(viewer, context.reader, username)
      throw badInput('username', 'or id must be given, and not both')
    },
  }),
  sessions: t.field({
    type: [Session],
    complexity: { field: 1, multiplier: 20 },
    description: 'Your open sessions, most recently used first.',
    resolve: (_root, _args, context) => readOpenSessions(requireViewer(context), context.reader),
  }),
}))

const SessionRevoked = factEvent(accountKinds.SessionRevoked, 'One of your sessions was ended.')
builder.objectFields(SessionRevoked, (t) => ({
  session: t.field({
    type: Session,
    description: 'The session that was ended.',
    resolve: async (event, _args, context) => {
      const session = await findSession(requireViewer(asHearer(event, context)), sessionIdOf(subjectOf(event)), context.reader)
      if (!session) throw notFound('Session')
      return session
    },
  }),
}))
