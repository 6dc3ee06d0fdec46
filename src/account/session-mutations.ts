// Mutations of sessions: renew a connection, log out, end other sessions.

import { notFound, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireSessionViewer, requireViewer } from '../graphql/context.ts'
import { cursorField } from '../graphql/payload.ts'
import { encodeId, parseId, type SessionId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { findSession, readOpenSessions } from './access.ts'
import { logOut, revokeOtherSessions, revokeSession } from './actions.ts'
import { Session } from './schema.ts'

const RevokeSessionInput = builder.inputType('RevokeSessionInput', {
  description: 'Input for `revokeSession`.',
  fields: (t) => ({ sessionId: t.id({ description: 'The ID of one of your sessions.' }) }),
})

const RenewConnectionInput = builder.inputType('RenewConnectionInput', {
  description: 'Input for `renewConnection`.',
  fields: (t) => ({ accessToken: t.string({ description: 'A new access token of the same session, from `refreshSession`.' }) }),
})
const RenewConnectionPayload = builder.objectRef<{ expiresAt: Date }>('RenewConnectionPayload').implement({
  description: 'The result of `renewConnection`.',
  fields: (t) => ({
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When the server closes the WebSocket unless you renew it again.',
    }),
  }),
})

/** Declares the payload of a mutation that ends all other sessions of the viewer. */
export function otherSessionsPayload(name: string, mutation: string) {
  return builder.objectRef<{ place: Place | null }>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      sessions: t.field({
        type: [Session],
        complexity: { field: 1, multiplier: 20 },
        description: 'Your remaining sessions: only the current one.',
        resolve: (_done, _args, context) => readOpenSessions(requireViewer(context), context.reader),
      }),
      cursor: cursorField(
        t,
        'The cursor of the `SessionRevoked` event of the last session that was ended; null if you had no other session.',
      ),
    }),
  })
}
const RevokeOtherSessionsPayload = otherSessionsPayload('RevokeOtherSessionsPayload', 'revokeOtherSessions')

const LogOutPayload = builder.objectRef<{ sessionId: SessionId }>('LogOutPayload').implement({
  description: 'The result of `logOut`.',
  fields: (t) => ({
    sessionId: t.id({
      description: 'The ID of the session that was ended.',
      resolve: ({ sessionId }) => encodeId('Session', sessionId),
    }),
  }),
})
const RevokeSessionPayload = builder.objectRef<{ sessionId: SessionId }>('RevokeSessionPayload').implement({
  description: 'The result of `revokeSession`.',
  fields: (t) => ({
    session: t.field({
      type: Session,
      description: 'The session that was ended.',
      resolve: async ({ sessionId }, _args, context) => {
        const session = await findSession(requireViewer(context), sessionId, context.reader)
        if (!session) throw notFound('Session')
        return session
      },
    }),
  }),
})

builder.mutationFields((t) => ({
  renewConnection: t.field({
    type: RenewConnectionPayload,
    description:
      'Keeps the WebSocket that carries this mutation, and all operations running on it, open until the new access token expires. Errors: OPERATION_REFUSED over HTTP or if the token belongs to another session, UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED.',
    args: { input: t.arg({ type: RenewConnectionInput, description: 'The new access token.' }) },
    resolve: async (_root, { input }, context) => {
      requireSessionViewer(context)
      if (!context.renewConnection)
        throw new ParleyError('OPERATION_REFUSED', 'Send renewConnection over the WebSocket that it renews.')
      return { expiresAt: await context.renewConnection(input.accessToken) }
    },
  }),
  logOut: t.field({
    type: LogOutPayload,
    description: 'Ends the current session: every node rejects its tokens and closes its sockets.',
    resolve: async (_root, _args, context) => {
      const viewer = requireSessionViewer(context)
      await logOut(viewer, context.app)
      return viewer
    },
  }),
  revokeSession: t.field({
    type: RevokeSessionPayload,
    description:
      'Ends one of your sessions, on this or another device: every node rejects its tokens and closes its sockets. Errors: NOT_FOUND.',
    args: { input: t.arg({ type: RevokeSessionInput, description: 'The session to end.' }) },
    resolve: async (_root, { input }, context) => {
      const sessionId = parseId('Session', input.sessionId, 'input.sessionId')
      await revokeSession(requireViewer(context), sessionId, context.app)
      return { sessionId }
    },
  }),
  revokeOtherSessions: t.field({
    type: RevokeOtherSessionsPayload,
    description:
      'Ends all your sessions except the current one: every node rejects their tokens and closes their sockets. Repeating it changes nothing. Errors: SESSION_REVOKED.',
    resolve: async (_root, _args, context) => ({
      place: await revokeOtherSessions(requireSessionViewer(context), context.app),
    }),
  }),
}))
