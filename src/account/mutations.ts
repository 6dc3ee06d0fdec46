// Account mutations: sign up, log in, refresh, change the password. session-mutations.ts ends sessions.

import { z } from 'zod'
import { notFound, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireSessionViewer } from '../graphql/context.ts'
import { lengthOf, line, parseInput, wellFormed } from '../graphql/input.ts'
import { findSession, requireUser, type SessionRow } from './access.ts'
import { changePassword, logIn, type SessionCredentials, signUp } from './actions.ts'
import { lookalikeRule } from './lookalikes.ts'
import { normalisePassword, passwordCost } from './password.ts'
import { refreshGraceS, refreshSession } from './refresh-actions.ts'
import { DeviceKind, Session, User } from './schema.ts'
import { otherSessionsPayload } from './session-mutations.ts'
import { deviceNameMax, displayNameMax, normaliseUsername, usernameForm, usernameRule } from './username.ts'

/** The longest password that is accepted for hashing, in UTF-16 units: 256 characters, decomposed into letters and marks. */
const typedMax = 4_000
const deviceKind = z
  .enum(['WEB', 'DESKTOP', 'PHONE', 'TABLET', 'OTHER'])
  .nullish()
  .transform((kind) => kind ?? 'OTHER')
/** A password to check. It may break the rules for a new one: those may have been different when the user chose it. */
export const typedPassword = wellFormed.max(typedMax, 'is too long')
/** A new password. Its length counts the Unicode code points of its normal form. */
const password = typedPassword
  .refine((text) => lengthOf(normalisePassword(text)) >= 8, 'must have at least 8 characters')
  .refine((text) => lengthOf(normalisePassword(text)) <= 256, 'must have at most 256 characters')
  .refine((text) => !/\p{Cc}/u.test(text), 'must not contain control characters')
const username = z
  .string()
  .transform(normaliseUsername)
  .pipe(z.string().regex(usernameForm, `must have ${usernameRule}`))
const changePasswordForm = z.object({ currentPassword: typedPassword, newPassword: password })
const signUpForm = z.object({
  username,
  password,
  displayName: line(displayNameMax),
  deviceName: line(deviceNameMax),
  deviceKind,
  invitation: z
    .string()
    .max(100)
    .nullish()
    .transform((token) => token ?? null),
})
// Logging in must not tell which usernames can exist: a malformed username gets the same answer as an unknown one.
const logInForm = z.object({
  username: z.string().max(1_000).transform(normaliseUsername),
  password: typedPassword,
  deviceName: line(deviceNameMax),
  deviceKind,
})

/** The longest part of a tried username that is logged, in characters. */
const loggedNameMax = 64

async function requireSession(context: Context, { userId, sessionId }: SessionCredentials): Promise<SessionRow> {
  const session = await findSession({ userId, sessionId }, sessionId, context.reader)
  if (!session) throw notFound('Session')
  return session
}

/** Logs a failed login for operators, with the username and the address. */
function noteFailedLogIn(username: string, { app, address, requestId }: Context): void {
  const tried = username.slice(0, loggedNameMax)
  app.repeats.note('info', `${tried} ${address}`, { username: tried, address, requestId }, 'a log-in failed')
}

/** The result of signUp, logIn and refreshSession. */
export const credentialFields = builder.interfaceRef<SessionCredentials>('Credentials').implement({
  description:
    'The tokens of a session. Send the access token as `Authorization: Bearer …` over HTTP, or as `connectionParams.accessToken` on a WebSocket.',
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'The access token. Every node accepts it until `expiresAt`.' }),
    refreshToken: t.exposeString('refreshToken', {
      description: `The token for the next \`refreshSession\`. It works once: using it again after more than ${refreshGraceS} seconds, or after its successor was used, ends the session.`,
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the access token expires.' }),
    session: t.field({
      type: Session,
      description: 'The session that these tokens belong to.',
      resolve: (c, _args, context) => requireSession(context, c),
    }),
    viewer: t.field({
      type: User,
      description: 'The user whose session it is.',
      resolve: (c, _args, context) => requireUser(context, c.userId),
    }),
  }),
})

const SignUpPayload = builder.objectRef<SessionCredentials>('SignUpPayload')
const LogInPayload = builder.objectRef<SessionCredentials>('LogInPayload')
const RefreshSessionPayload = builder.objectRef<SessionCredentials>('RefreshSessionPayload')
for (const [ref, what] of [
  [SignUpPayload, 'signUp'],
  [LogInPayload, 'logIn'],
  [RefreshSessionPayload, 'refreshSession'],
] as const) {
  ref.implement({ description: `The result of \`${what}\`.`, interfaces: [credentialFields] })
}

const deviceNameDescription = `The name under which \`sessions\` lists the device: 1 to ${deviceNameMax} characters on one line.`
const SignUpInput = builder.inputType('SignUpInput', {
  description: 'Input for `signUp`: the new account and its first device.',
  fields: (t) => ({
    username: t.string({
      description: `${usernameRule}. Stored in lower case. Must not look like an existing username: ${lookalikeRule}.`,
    }),
    password: t.string({
      description: '8 to 256 characters, no control characters. Composed and decomposed forms of a letter are treated as equal.',
    }),
    displayName: t.string({ description: `The name shown to other people: 1 to ${displayNameMax} characters.` }),
    deviceName: t.string({ description: deviceNameDescription }),
    deviceKind: t.field({
      type: DeviceKind,
      required: false,
      description: 'The kind of device. Defaults to OTHER.',
    }),
    invitation: t.string({
      required: false,
      description: 'An invitation from the operator of this server. Required if the server accepts sign-ups only by invitation.',
    }),
  }),
})
const LogInInput = builder.inputType('LogInInput', {
  description: 'Input for `logIn`.',
  fields: (t) => ({
    username: t.string({ description: 'The username, in upper or lower case.' }),
    password: t.string({ description: 'The password.' }),
    deviceName: t.string({ description: deviceNameDescription }),
    deviceKind: t.field({
      type: DeviceKind,
      required: false,
      description: 'The kind of device. Defaults to OTHER.',
    }),
  }),
})
const RefreshSessionInput = builder.inputType('RefreshSessionInput', {
  description: 'Input for `refreshSession`.',
  fields: (t) => ({ refreshToken: t.string({ description: 'The most recent refresh token of the session.' }) }),
})
const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  description: 'Input for `changePassword`.',
  fields: (t) => ({
    currentPassword: t.string({ description: 'Your current password.' }),
    newPassword: t.string({
      description: '8 to 256 characters, no control characters. Composed and decomposed forms of a letter are treated as equal.',
    }),
  }),
})
const ChangePasswordPayload = otherSessionsPayload('ChangePasswordPayload', 'changePassword')

builder.mutationFields((t) => ({
  signUp: t.field({
    type: SignUpPayload,
    complexity: passwordCost,
    description:
      'Creates an account and logs in. Needs no access token. Errors: BAD_INPUT, USERNAME_TAKEN, RATE_LIMITED, FORBIDDEN if this server does not accept sign-ups, or needs an invitation and the given one cannot be used.',
    args: { input: t.arg({ type: SignUpInput, description: 'The account to create, and its first device.' }) },
    resolve: (_root, { input }, { app, address }) => {
      if (app.config.signUp === 'closed') throw new ParleyError('FORBIDDEN', 'This server does not accept sign-ups.')
      return signUp(parseInput(signUpForm, input), address, app)
    },
  }),
  logIn: t.field({
    type: LogInPayload,
    complexity: passwordCost,
    description:
      'Logs in with a password and opens a session for this device. Needs no access token. Errors: BAD_INPUT, INVALID_CREDENTIALS, ACCOUNT_SUSPENDED, RATE_LIMITED.',
    args: { input: t.arg({ type: LogInInput, description: "The account's credentials, and the device that logs in." }) },
    resolve: async (_root, { input }, context) => {
      const given = parseInput(logInForm, input)
      return logIn(given, context.address, context.app).catch((error: unknown) => {
        if (error instanceof ParleyError && error.code === 'INVALID_CREDENTIALS') noteFailedLogIn(given.username, context)
        throw error
      })
    },
  }),
  refreshSession: t.field({
    type: RefreshSessionPayload,
    description: `Exchanges a refresh token for a new access token and a new refresh token. Needs no access token. For ${refreshGraceS} seconds, and while the new refresh token is unused, the old one returns the same new one again, so it is safe to retry if you lose the response. Errors: UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED, ACCOUNT_SUSPENDED.`,
    args: { input: t.arg({ type: RefreshSessionInput, description: 'The refresh token to exchange.' }) },
    resolve: (_root, { input }, { app }) => refreshSession(input.refreshToken, app),
  }),
  changePassword: t.field({
    type: ChangePasswordPayload,
    complexity: passwordCost,
    description: 'Changes your password and ends all your other sessions. Errors: BAD_INPUT, INVALID_CREDENTIALS, RATE_LIMITED.',
    args: { input: t.arg({ type: ChangePasswordInput, description: 'Your current password and the new one.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireSessionViewer(context)
      const { currentPassword, newPassword } = parseInput(changePasswordForm, input)
      return { place: await changePassword(viewer, currentPassword, newPassword, context.app) }
    },
  }),
}))
