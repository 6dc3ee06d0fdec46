// What one does with accounts, in the schema: the mutations by which one comes in, stays in and leaves.

import { z } from 'zod'
import { notFound, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { line, parseInput } from '../graphql/input.ts'
import { encodeId, parseId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { findSession, readOpenSessions, requireUser, type SessionRow } from './access.ts'
import { type Credentials, changePassword, logIn, logOut, refreshSession, revokeSession, signUp } from './actions.ts'
import { DeviceKind, Session, User } from './schema.ts'
import { displayNameMax, normaliseUsername, usernameForm, usernameRule } from './username.ts'

const deviceNameMax = 100
const deviceKind = z
  .enum(['WEB', 'DESKTOP', 'PHONE', 'TABLET', 'OTHER'])
  .nullish()
  .transform((kind) => kind ?? 'OTHER')
const password = z.string().min(8, 'must have at least 8 characters').max(256, 'must have at most 256 characters')
const username = z.string().transform(normaliseUsername).pipe(z.string().regex(usernameForm, usernameRule))
const changePasswordForm = z.object({ currentPassword: z.string().max(1_000), newPassword: password })
const signUpForm = z.object({
  username,
  password,
  displayName: line(displayNameMax),
  deviceName: line(deviceNameMax),
  deviceKind,
})
// Whoever logs in is told nothing about which names could exist: a name of the wrong form is an unknown one.
const logInForm = z.object({
  username: z.string().max(1_000).transform(normaliseUsername),
  password: z.string().max(1_000),
  deviceName: line(deviceNameMax),
  deviceKind,
})

async function requireSession(context: Context, { userId, sessionId }: Credentials): Promise<SessionRow> {
  const session = await findSession({ userId, sessionId }, sessionId, context.reader)
  if (!session) throw notFound('Session')
  return session
}

/** What signUp, logIn and refreshSession answer with. */
const credentialFields = builder.interfaceRef<Credentials>('Credentials').implement({
  description:
    'What proves a session. Send the access token as `Authorization: Bearer …`, or as `connectionParams.accessToken` on a WebSocket.',
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'Good on every node until `expiresAt`.' }),
    refreshToken: t.exposeString('refreshToken', {
      description: 'Good once, for `refreshSession`. Used twice, it ends the session.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the access token ends.' }),
    session: t.field({
      type: Session,
      description: 'The session that is proved.',
      resolve: (c, _args, context) => requireSession(context, c),
    }),
    viewer: t.field({
      type: User,
      description: 'Whose session it is.',
      resolve: (c, _args, context) => requireUser(context, c.userId),
    }),
  }),
})

const SignUpPayload = builder.objectRef<Credentials>('SignUpPayload')
const LogInPayload = builder.objectRef<Credentials>('LogInPayload')
const RefreshSessionPayload = builder.objectRef<Credentials>('RefreshSessionPayload')
for (const [ref, what] of [
  [SignUpPayload, 'signUp'],
  [LogInPayload, 'logIn'],
  [RefreshSessionPayload, 'refreshSession'],
] as const) {
  ref.implement({ description: `The answer to \`${what}\`.`, interfaces: [credentialFields] })
}

const deviceNameDescription = `How the device shall be listed under \`sessions\`: 1 to ${deviceNameMax} characters.`
const SignUpInput = builder.inputType('SignUpInput', {
  description: 'A new account and its first device.',
  fields: (t) => ({
    username: t.string({
      description: `${usernameRule}; stored in lower case. Not one that looks like another: 0 and o, 1 and l and i, rn and m, vv and w are alike, and . _ - do not count.`,
    }),
    password: t.string({ description: '8 to 256 characters.' }),
    displayName: t.string({ description: `What people read: 1 to ${displayNameMax} characters.` }),
    deviceName: t.string({ description: deviceNameDescription }),
    deviceKind: t.field({
      type: DeviceKind,
      required: false,
      description: 'What kind of device it is; OTHER where it is not said.',
    }),
  }),
})
const LogInInput = builder.inputType('LogInInput', {
  description: 'A login on a device.',
  fields: (t) => ({
    username: t.string({ description: 'The username, in any case.' }),
    password: t.string({ description: 'The password.' }),
    deviceName: t.string({ description: deviceNameDescription }),
    deviceKind: t.field({
      type: DeviceKind,
      required: false,
      description: 'What kind of device it is; OTHER where it is not said.',
    }),
  }),
})
const RefreshSessionInput = builder.inputType('RefreshSessionInput', {
  description: 'A refresh token to trade in.',
  fields: (t) => ({ refreshToken: t.string({ description: 'The newest one of its session.' }) }),
})
const RevokeSessionInput = builder.inputType('RevokeSessionInput', {
  description: 'A session to end.',
  fields: (t) => ({ sessionId: t.id({ description: "One of the viewer's sessions." }) }),
})

const RenewConnectionInput = builder.inputType('RenewConnectionInput', {
  description: 'A fresh access token for the WebSocket that this comes over.',
  fields: (t) => ({ accessToken: t.string({ description: 'One of the same session, from `refreshSession`.' }) }),
})
const RenewConnectionPayload = builder.objectRef<{ expiresAt: Date }>('RenewConnectionPayload').implement({
  description: 'The answer to `renewConnection`.',
  fields: (t) => ({
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the WebSocket ends unless it is renewed again.' }),
  }),
})

const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  description: 'A new password.',
  fields: (t) => ({
    currentPassword: t.string({ description: 'The password as it is.' }),
    newPassword: t.string({ description: '8 to 256 characters.' }),
  }),
})
const ChangePasswordPayload = builder.objectRef<{ place: Place | null }>('ChangePasswordPayload').implement({
  description: 'The answer to `changePassword`.',
  fields: (t) => ({
    sessions: t.field({
      type: [Session],
      complexity: { field: 1, multiplier: 20 },
      description: 'The sessions that are left: your own.',
      resolve: (_done, _args, context) => readOpenSessions(requireViewer(context), context.reader),
    }),
    cursor: t.field({
      type: 'Cursor',
      nullable: true,
      description: 'The place of the last session that was ended; null where there was no other.',
      resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
    }),
  }),
})

const LogOutPayload = builder.objectRef<{ sessionId: number }>('LogOutPayload').implement({
  description: 'The answer to `logOut`.',
  fields: (t) => ({
    sessionId: t.id({ description: 'The session that was ended.', resolve: ({ sessionId }) => encodeId('Session', sessionId) }),
  }),
})
const RevokeSessionPayload = builder.objectRef<{ sessionId: number }>('RevokeSessionPayload').implement({
  description: 'The answer to `revokeSession`.',
  fields: (t) => ({
    session: t.field({
      type: Session,
      description: 'The session, ended.',
      resolve: async ({ sessionId }, _args, context) => {
        const session = await findSession(requireViewer(context), sessionId, context.reader)
        if (!session) throw notFound('Session')
        return session
      },
    }),
  }),
})

builder.mutationFields((t) => ({
  signUp: t.field({
    type: SignUpPayload,
    description: 'Creates an account and logs in. Errors: BAD_INPUT, USERNAME_TAKEN, RATE_LIMITED.',
    args: { input: t.arg({ type: SignUpInput, description: 'The account.' }) },
    resolve: (_root, { input }, { app }) => signUp(parseInput(signUpForm, input), app),
  }),
  logIn: t.field({
    type: LogInPayload,
    description: 'Logs in on a device: opens a session. Errors: BAD_INPUT, INVALID_CREDENTIALS, RATE_LIMITED.',
    args: { input: t.arg({ type: LogInInput, description: 'Who, and where.' }) },
    resolve: (_root, { input }, { app }) => logIn(parseInput(logInForm, input), app),
  }),
  refreshSession: t.field({
    type: RefreshSessionPayload,
    description: 'Trades a refresh token for a fresh pair of tokens. Errors: UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED.',
    args: { input: t.arg({ type: RefreshSessionInput, description: 'The refresh token.' }) },
    resolve: (_root, { input }, { app }) => refreshSession(input.refreshToken, app),
  }),
  renewConnection: t.field({
    type: RenewConnectionPayload,
    description:
      'Keeps the WebSocket that it comes over open, with all that runs on it, until a fresh access token ends. Over HTTP, and for a token of another session: OPERATION_REFUSED. Errors: UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED.',
    args: { input: t.arg({ type: RenewConnectionInput, description: 'The token.' }) },
    resolve: async (_root, { input }, context) => {
      requireViewer(context)
      if (!context.renewConnection) throw new ParleyError('OPERATION_REFUSED', 'Only a WebSocket can be renewed')
      return { expiresAt: await context.renewConnection(input.accessToken) }
    },
  }),
  changePassword: t.field({
    type: ChangePasswordPayload,
    description: 'Changes your password and ends all your other sessions. Errors: BAD_INPUT, INVALID_CREDENTIALS, RATE_LIMITED.',
    args: { input: t.arg({ type: ChangePasswordInput, description: 'The old one and the new one.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const { currentPassword, newPassword } = parseInput(changePasswordForm, input)
      return { place: await changePassword(viewer, currentPassword, newPassword, context.app) }
    },
  }),
  logOut: t.field({
    type: LogOutPayload,
    description: "Ends the viewer's own session: its tokens are refused and its sockets closed, on every node.",
    resolve: async (_root, _args, context) => {
      const viewer = requireViewer(context)
      await logOut(viewer, context.app)
      return viewer
    },
  }),
  revokeSession: t.field({
    type: RevokeSessionPayload,
    description: "Ends one of the viewer's sessions, on whichever device. Errors: NOT_FOUND.",
    args: { input: t.arg({ type: RevokeSessionInput, description: 'Which one.' }) },
    resolve: async (_root, { input }, context) => {
      const sessionId = parseId('Session', input.sessionId, 'input.sessionId')
      await revokeSession(requireViewer(context), sessionId, context.app)
      return { sessionId }
    },
  }),
}))
