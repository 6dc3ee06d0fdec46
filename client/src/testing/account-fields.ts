// The fields and mutations of accounts, sessions and profiles.

import type * as api from '../generated/schema-types.ts'
import { checkLine, endSession, findByName, makeUser, type TestCredentials, type TestTokens } from './accounts.ts'
import { done } from './actions.ts'
import { badInput, lacks, notFound, refuse } from './refusal.ts'
import { findPresence } from './signals.ts'
import { checkId, requireSession, requireViewer, type TestContext, type TestFields } from './test-context.ts'
import { type PageArguments, pageOf } from './test-page.ts'
import type { TestConversation, TestSession, TestUser, TestWorld } from './world.ts'

const bioMax = 500

/** Everybody who hears of a user's new profile. */
function hearersOf(world: TestWorld, user: TestUser): string[] {
  const isNear = ({ id }: TestUser) =>
    id === user.id || world.contactOf(id, user.id)?.acceptedAt != null || world.haveShared(id, user.id)
  return [...world.users.values()].filter((other) => isNear(other) && !world.isBlocked(other.id, user.id)).map(({ id }) => id)
}

function updateProfile(_root: unknown, { input }: { input: api.UpdateProfileInput }, context: TestContext) {
  const viewer = requireViewer(context)
  if (input.avatarId !== undefined) throw lacks('avatars')
  const displayName = input.displayName == null ? viewer.displayName : checkLine(input.displayName, 80, 'input.displayName')
  const bio = input.bio ?? viewer.bio
  if ([...bio].length > bioMax) throw badInput('input.bio', `must have at most ${bioMax} characters`)
  if (displayName === viewer.displayName && bio === viewer.bio) return done(context.world, null, { viewer })
  Object.assign(viewer, { displayName, bio })
  const fact = context.world.journal.append('UserUpdated', hearersOf(context.world, viewer), { userId: viewer.id })
  return done(context.world, fact, { viewer })
}

/** The sessions of the viewer that have not ended, the newest first. */
function ownSessions(context: TestContext): TestSession[] {
  const viewer = requireViewer(context)
  const own = [...context.world.sessions.values()].filter(({ userId, revokedAt }) => userId === viewer.id && !revokedAt)
  return own.reverse()
}

function revokeSession(_root: unknown, { input }: { input: api.RevokeSessionInput }, context: TestContext) {
  const viewer = requireViewer(context)
  const session = context.world.sessions.get(checkId('Session', input.sessionId, 'input.sessionId'))
  if (session?.userId !== viewer.id) throw notFound('Session')
  endSession(context.world, session)
  return { session }
}

function revokeOtherSessions(_root: unknown, _args: object, context: TestContext) {
  const current = requireSession(context)
  const others = ownSessions(context).filter((session) => session !== current)
  for (const session of others) endSession(context.world, session)
  return { sessions: others, cursor: others.length > 0 ? context.world.journal.cursor() : null }
}

/** The mutations that need the tokens of the server. */
export function accountMutations(tokens: TestTokens): TestFields {
  const answer = (world: TestWorld, session: TestSession, credentials: TestCredentials) => ({
    ...credentials,
    session,
    viewer: world.users.get(session.userId),
  })
  const enter = ({ world }: TestContext, user: TestUser, { deviceName, deviceKind }: api.LogInInput | api.SignUpInput) => {
    const { session, credentials } = tokens.open(user, checkLine(deviceName, 100, 'input.deviceName'), deviceKind ?? 'OTHER')
    return answer(world, session, credentials)
  }
  return {
    signUp: (_root: unknown, { input }: { input: api.SignUpInput }, context: TestContext) =>
      enter(context, makeUser(context.world, input), input),
    logIn: (_root: unknown, { input }: { input: api.LogInInput }, context: TestContext) => {
      const user = findByName(context.world, input.username)
      if (user?.password !== input.password) throw refuse('INVALID_CREDENTIALS', 'The username or the password is wrong.')
      return enter(context, user, input)
    },
    refreshSession: (_root: unknown, { input }: { input: api.RefreshSessionInput }, { world }: TestContext) => {
      const { session, credentials } = tokens.refresh(input.refreshToken)
      return answer(world, session, credentials)
    },
    renewConnection: (_root: unknown, { input }: { input: api.RenewConnectionInput }, { connection }: TestContext) => {
      const session = tokens.sessionOf(input.accessToken)
      if (connection?.session !== session)
        throw refuse('OPERATION_REFUSED', 'Send renewConnection over the WebSocket that it renews, with a token of its session.')
      connection.token = input.accessToken
      return { expiresAt: tokens.expiresAt(input.accessToken) }
    },
    logOut: (_root: unknown, _args: object, context: TestContext) => {
      const session = requireSession(context)
      endSession(context.world, session)
      return { sessionId: session.id }
    },
    revokeSession,
    revokeOtherSessions,
    updateProfile,
  }
}

export const accountQueries: TestFields = {
  viewer: (_root: unknown, _args: object, context: TestContext) => requireViewer(context),
  sessions: (_root: unknown, _args: object, context: TestContext) => ownSessions(context),
  user: (_root: unknown, args: { id?: string | null; username?: string | null }, context: TestContext) => {
    requireViewer(context)
    if ((args.id == null) === (args.username == null)) throw badInput('id', 'give exactly one of id and username')
    if (args.username != null) return findByName(context.world, args.username)
    return context.world.users.get(checkId('User', args.id ?? '', 'id')) ?? null
  },
  searchUsers: (_root: unknown, args: PageArguments & { query: string }, context: TestContext) => {
    const viewer = requireViewer(context)
    const text = args.query.trim().replace(/^@/, '').toLowerCase()
    if (text === '') throw badInput('query', 'must not be empty')
    const found = [...context.world.users.values()].filter(
      (user) =>
        `${user.username} ${user.displayName}`.toLowerCase().includes(text) && !context.world.hasBlocked(user.id, viewer.id),
    )
    return pageOf(found, ({ number }) => number, args)
  },
}

export const accountFields: { readonly [type: string]: TestFields } = {
  User: {
    id: ({ id }: TestUser) => id,
    username: ({ username }: TestUser) => username,
    displayName: ({ displayName }: TestUser) => displayName,
    bio: ({ bio }: TestUser) => bio,
    createdAt: ({ createdAt }: TestUser) => createdAt,
    isDeleted: () => false,
    avatar: () => null,
    data: () => null,
    externalId: () => null,
    tenant: () => null,
    presence: findPresence,
    groupsInCommon: (user: TestUser, args: PageArguments, context: TestContext) => {
      const viewer = requireViewer(context)
      const isCommon = ({ kind, members }: TestConversation) => kind === 'GROUP' && members.has(user.id) && members.has(viewer.id)
      const found = [...context.world.conversations.values()].filter(isCommon)
      return pageOf(
        found.sort((a, b) => b.lastPosition - a.lastPosition),
        ({ lastPosition }) => -lastPosition,
        args,
      )
    },
    viewerContact: (user: TestUser, _args: object, context: TestContext) => {
      const contact = context.world.contactOf(requireViewer(context).id, user.id)
      return contact && { contact, userId: user.id }
    },
    viewerHasBlocked: (user: TestUser, _args: object, context: TestContext) =>
      context.world.hasBlocked(requireViewer(context).id, user.id),
  },
  Session: {
    id: ({ id }: TestSession) => id,
    deviceName: ({ deviceName }: TestSession) => deviceName,
    deviceKind: ({ deviceKind }: TestSession) => deviceKind,
    createdAt: ({ createdAt }: TestSession) => createdAt,
    lastUsedAt: ({ lastUsedAt }: TestSession) => lastUsedAt,
    expiresAt: ({ expiresAt }: TestSession) => expiresAt,
    revokedAt: ({ revokedAt }: TestSession) => revokedAt,
    isCurrent: (session: TestSession, _args: object, context: TestContext) => session === context.session,
    push: () => null,
    state: (session: TestSession, _args: object, { world }: TestContext) => {
      const own = [...world.connections].filter((connection) => connection.session === session)
      return own.length === 0 ? 'OFFLINE' : own.some(({ isIdle }) => !isIdle) ? 'ONLINE' : 'IDLE'
    },
  },
}
