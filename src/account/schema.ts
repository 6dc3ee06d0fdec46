// Accounts in the schema: users and sessions.

import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import {
  behindMax,
  countFactsAfter,
  findPresentUser,
  findSession,
  findUserByUsername,
  readOpenSessions,
  requireUser,
  type SessionRow,
  type UserRow,
} from './access.ts'
import { displayNameMax, usernameRule } from './username.ts'

export const User = builder.objectRef<UserRow>('User')
builder.node(User, {
  description: 'A person, as everybody may see them.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadMany: async (ids, context) => {
    requireViewer(context)
    return Promise.all(ids.map((id) => findPresentUser(context, Number(id))))
  },
  fields: (t) => ({
    username: t.exposeString('username', {
      shared: true,
      description: `Unique, and found by \`user(username:)\`: ${usernameRule}. Of a deleted account: \`~\` and a number.`,
    }),
    displayName: t.exposeString('displayName', {
      shared: true,
      description: `What people read: 1 to ${displayNameMax} characters, not unique.`,
    }),
    bio: t.exposeString('bio', { shared: true, description: 'What they say of themselves; empty where they say nothing.' }),
    createdAt: t.expose('createdAt', { shared: true, type: 'DateTime', description: 'When the account was made.' }),
    isDeleted: t.exposeBoolean('isDeleted', {
      shared: true,
      description: 'Whether the account is gone: then nothing is left of it but what others have that names it.',
    }),
  }),
})

export const DeviceKind = builder.enumType('DeviceKind', {
  description: 'What kind of device it is, as it says itself.',
  values: {
    WEB: { description: 'A browser.' },
    DESKTOP: { description: 'An app on a computer.' },
    PHONE: { description: 'An app on a phone.' },
    TABLET: { description: 'An app on a tablet.' },
    OTHER: { description: 'Something else, or it did not say.' },
  } as const,
})

export const Session = builder.objectRef<SessionRow>('Session')
builder.node(Session, {
  description: 'One login on one device. Only its own user sees it.',
  id: { resolve: ({ id }) => String(id) },
  loadMany: async (ids, context) => {
    const viewer = requireViewer(context)
    return Promise.all(ids.map((id) => findSession(viewer, Number(id), context.reader)))
  },
  fields: (t) => ({
    deviceName: t.exposeString('deviceName', { description: 'The name that the device gave itself.' }),
    deviceKind: t.expose('deviceKind', { type: DeviceKind, description: 'What kind of device it is.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the device logged in.' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', description: 'When the session was last used, to about a minute.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it ends by itself unless it is refreshed.' }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was ended; null while it is open.',
    }),
    syncedUntil: t.expose('syncedUntil', {
      type: 'DateTime',
      nullable: true,
      description:
        'The device has stored everything that happened up to this time, as it said by `acknowledge`; null where it never said so.',
    }),
    behindBy: t.int({
      nullable: true,
      description: `How many facts that the device may see come after that and are still kept; ${behindMax} stands for as many or more. null where \`syncedUntil\` is.`,
      complexity: 10,
      resolve: ({ userId, syncedPosition }, _args, context) =>
        syncedPosition === null ? null : countFactsAfter(context, `${userId}:${syncedPosition}`),
    }),
    isCurrent: t.boolean({
      description: 'Whether it is the session that asks.',
      resolve: ({ id }, _args, { caller }) => caller.viewer?.sessionId === id,
    }),
  }),
})

builder.queryFields((t) => ({
  viewer: t.field({
    type: User,
    description: 'Who asks.',
    resolve: async (_root, _args, context) => requireUser(context, requireViewer(context).userId),
  }),
  user: t.field({
    type: User,
    nullable: true,
    description: 'The user with this username; null for none.',
    args: { username: t.arg.string({ description: 'In any case and with compatibility forms; compared normalised.' }) },
    resolve: (_root, args, context) => {
      requireViewer(context)
      return findUserByUsername(context.reader, args.username)
    },
  }),
  sessions: t.field({
    type: [Session],
    complexity: { field: 1, multiplier: 20 },
    description: "The viewer's open sessions, the one used last first.",
    resolve: (_root, _args, context) => readOpenSessions(requireViewer(context), context.reader),
  }),
}))

const SessionRevoked = factEvent('SessionRevoked', "One of the viewer's sessions was ended.")
builder.objectFields(SessionRevoked, (t) => ({
  session: t.field({
    type: Session,
    description: 'The session that was ended.',
    resolve: async (event, _args, context) => {
      const session = await findSession(requireViewer(context), subjectOf(event), context.reader)
      if (!session) throw notFound('Session')
      return session
    },
  }),
}))
