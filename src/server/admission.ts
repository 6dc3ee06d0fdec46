// Admits sockets: identifies the caller by the token in the handshake, and renews the connection with a fresh token.

import type { Context as ProtocolContext, SubscribePayload } from 'graphql-ws'
import { closeCodes, ParleyError } from '../errors.ts'
import type { App } from '../parts.ts'
import { actAsHeader, badToken, bearerToken, type Call, type Guards, identify, type Presented } from './callers.ts'
import { type Connections, isSameOwner } from './connections.ts'
import { logCrowd, logRefusedToken, logUserCrowd } from './refused.ts'
import { type Extra, endSocket, farewell } from './wire.ts'

/** The WebSocket close code for an overloaded server (IANA registry of RFC 6455). A graphql-ws client reconnects after it. */
const tryAgainLater = 1013

/** The parts of the node that admission uses. */
export type Gate = { readonly app: App; readonly guards: Guards; readonly connections: Connections }

/**
 * The caller of an operation: that of its socket. On a socket without a token, an operation may bring one in
 * `extensions.headers`, as GraphiQL does; from then on the socket belongs to that caller.
 * @throws ParleyError OPERATION_REFUSED for a token of another caller than the socket's
 */
export async function callOf(extra: Extra, { extensions }: SubscribePayload, gate: Gate): Promise<Call> {
  const headers = extensions?.headers
  if (extra.call.admission || typeof headers !== 'object' || headers === null) return extra.call
  const call = await identify(gate.guards, tokenOf(headers), actAsOf(headers))
  logRefusedToken(gate.app, call, extra.address)
  const [mine, theirs] = [call.admission?.owner, ownerOf(extra.call)]
  if (mine === undefined) return call
  if (theirs === undefined) admit(extra, call, gate, false)
  else if (!isSameOwner(theirs, mine)) throw new ParleyError('OPERATION_REFUSED', 'This WebSocket belongs to another session.')
  return extra.call
}

/** Another operation may have brought a token meanwhile. */
const ownerOf = ({ admission }: Call) => admission?.owner

/** Sets the caller of a socket, registers the socket with its owner while it is open, and connects the device of a session. */
function admit(extra: Extra, call: Call, { app, guards, connections }: Gate, isResting: boolean): void {
  const { socket } = extra
  extra.call = call
  const { admission } = call
  if (!admission || extra.connection || socket.readyState !== socket.OPEN) return
  const { owner, expiresAt } = admission
  if (!connections.hasRoom(owner, 'socket')) {
    logUserCrowd(app, owner, 'socket')
    endSocket(socket, tryAgainLater, 'You have too many WebSockets. Close one, and connect again.')
    return
  }
  if (!extra.slot.takeSession()) {
    logCrowd(app, extra.address, 'withSession')
    endSocket(socket, tryAgainLater, 'Too many WebSockets from this address. Connect again later.')
    return
  }
  extra.connection = {
    kind: 'socket',
    owner,
    expiresAt,
    end: (code, reason) => endSocket(socket, code, reason),
    leave: () => void farewell(extra),
  }
  connections.add(extra.connection)
  if (owner.sessionId === null) return
  extra.device = app.devices.connect(owner, isResting)
  guards.guard.noteUse(owner.sessionId, !isResting)
}

/** Checks the token of a new connection. @returns false after closing the socket with a code that says why it is refused */
export async function connect(context: ProtocolContext<Record<string, unknown>, Extra>, gate: Gate): Promise<boolean> {
  const { extra, connectionParams } = context
  const { socket } = extra
  // graphql-ws would keep the token in memory for as long as the socket is open.
  ;(context as { connectionParams?: Record<string, unknown> }).connectionParams = {}
  const call = await identify(gate.guards, tokenIn(connectionParams), actAsIn(connectionParams))
  logRefusedToken(gate.app, call, extra.address)
  const { caller } = call
  if (!caller.viewer && caller.refusal) {
    const { code: because, message } = caller.refusal
    gate.app.log.debug({ code: because, because: message, address: extra.address }, 'a WebSocket was refused')
    const code = {
      TOKEN_EXPIRED: closeCodes.TOKEN_EXPIRED,
      SESSION_REVOKED: closeCodes.SESSION_REVOKED,
      UNAVAILABLE: closeCodes.RESUME,
    }
    endSocket(socket, code[caller.refusal.code as keyof typeof code] ?? closeCodes.TOKEN_REFUSED, caller.refusal.message)
    return false
  }
  admit(extra, call, gate, connectionParams?.idle === true)
  return true
}

/** Where clients of other servers put a token. Parley does not read it there, but tells the client where it belongs. */
const elsewhere =
  /^(x-)?(access|auth|authentication|authorization|bearer|id|jwt|session)[-_]?token$|^(auth|authentication|authorisation|bearer|headers|jwt|token)$/

/** The token in connection parameters: `accessToken`, or `authorization` in the form of the HTTP header. */
function tokenIn(parameters: Record<string, unknown> | undefined): Presented {
  const given = Object.entries(parameters ?? {}).filter(([, value]) => value != null && value !== '')
  const found = new Map(given.map(([key, value]) => [key.toLowerCase(), value] as const))
  const token = found.get('accesstoken')
  if (token !== undefined) {
    const bare = typeof token === 'string' ? bearerToken(`Bearer ${token}`) : null
    return typeof bare === 'string'
      ? bare
      : badToken('connectionParams.accessToken must be the token alone, as a string without "Bearer".')
  }
  const header = found.get('authorization')
  if (header !== undefined) {
    const bare = typeof header === 'string' ? bearerToken(header) : null
    return typeof bare === 'string'
      ? bare
      : badToken('connectionParams.authorization must be "Bearer <token>". Or use accessToken.')
  }
  const isMisplaced = [...found].some(([key, value]) => elsewhere.test(key) && (key !== 'headers' || holdsToken(value)))
  return isMisplaced ? badToken('Send the access token as connectionParams: { accessToken: "<token>" }') : null
}

/** The user on whose behalf a server key acts, in connection parameters: `actAs`, or the name of the HTTP header. */
function actAsIn(parameters: Record<string, unknown> | undefined): string | null {
  const given = parameters?.actAs ?? parameters?.[actAsHeader]
  return given == null ? null : String(given)
}

/** The user on whose behalf a server key acts, in the headers of one operation. */
function actAsOf(headers: object): string | null {
  const [, value] = Object.entries(headers).find(([name]) => name.toLowerCase() === actAsHeader) ?? []
  return value == null ? null : String(value)
}

/** Whether any header in an object seems to carry a token. */
function holdsToken(headers: unknown): boolean {
  return typeof headers === 'object' && headers !== null && Object.keys(headers).some((name) => /auth|token/i.test(name))
}

/** The token in the headers of one operation. */
function tokenOf(headers: object): Presented {
  const [, header] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization') ?? []
  if (header == null) return null
  return bearerToken(typeof header === 'string' ? header : '-')
}

/**
 * Keeps a socket open until a fresh token of the same session expires. A token that expires earlier changes nothing.
 * @returns when the connection expires now
 * @throws ParleyError OPERATION_REFUSED for a token of another session, or the guard's refusal of the token
 */
export async function renew({ connection }: Extra, token: string, guards: Guards): Promise<Date> {
  const { caller, admission } = await identify(guards, bearerToken(`Bearer ${token}`), null)
  if (!caller.viewer && caller.refusal) throw caller.refusal
  if (!connection || !admission || !isSameOwner(admission.owner, connection.owner)) {
    throw new ParleyError('OPERATION_REFUSED', 'The access token belongs to another session than this WebSocket.')
  }
  connection.expiresAt = Math.max(connection.expiresAt, admission.expiresAt)
  return new Date(connection.expiresAt)
}
