// Who is behind a socket: the caller whose token came with its handshake, and who brings a fresh one before that ends.

import type { Context as ProtocolContext, SubscribePayload } from 'graphql-ws'
import type { Guard } from '../account/guard.ts'
import { closeCodes, ParleyError } from '../errors.ts'
import type { Visits } from '../signal/visits.ts'
import { bearerToken, type Call, identify } from './callers.ts'
import type { Connections } from './connections.ts'
import { type Extra, endSocket, farewell } from './wire.ts'

/** What those who come through the door are known to. */
export type Gate = { readonly guard: Guard; readonly connections: Connections; readonly visits: Visits }

/**
 * Who asks for an operation: the caller of its socket. On a socket that came without a token, the one whose token comes with
 * the operation in `extensions.headers` (GraphiQL does it so); the socket is that session's from then on.
 */
export async function callOf(extra: Extra, { extensions }: SubscribePayload, gate: Gate): Promise<Call> {
  const headers = extensions?.headers
  if (extra.call.admission || typeof headers !== 'object' || headers === null) return extra.call
  const call = await identify(gate.guard, tokenIn(headers as Record<string, unknown>))
  const [mine, theirs] = [sessionOf(call), sessionOf(extra.call)]
  if (mine === undefined) return call
  if (theirs === undefined) admit(extra, call, gate, false)
  else if (theirs !== mine) throw new ParleyError('OPERATION_REFUSED', 'This socket belongs to another session')
  return extra.call
}

const sessionOf = ({ admission }: Call) => admission?.viewer.sessionId

/** Takes a caller for a socket, and registers the socket with the caller's session for as long as it is open: the device is there. */
function admit(extra: Extra, call: Call, { guard, connections, visits }: Gate, isResting: boolean): void {
  const { socket } = extra
  extra.call = call
  const { admission } = call
  if (!admission || extra.connection || socket.readyState !== socket.OPEN) return
  const { viewer, expiresAt } = admission
  extra.connection = {
    sessionId: viewer.sessionId,
    expiresAt,
    end: (code, reason) => endSocket(socket, code, reason),
    leave: () => void farewell(extra),
  }
  connections.add(extra.connection)
  extra.visit = visits.enter(viewer, isResting)
  guard.noteUse(viewer.sessionId, !isResting)
}

/** Checks the token of a connection that is being opened. A refused one closes the socket with a code that says why. */
export async function connect(
  { extra, connectionParams }: ProtocolContext<Record<string, unknown>, Extra>,
  gate: Gate,
): Promise<boolean> {
  const { socket } = extra
  const call = await identify(gate.guard, tokenIn(connectionParams))
  const { caller } = call
  if (!caller.viewer && caller.refusal) {
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

/**
 * The token in the parameters of a connection: `accessToken`, or `authorization` as a header would have it. Null for none,
 * undefined for one of another form.
 */
function tokenIn(parameters: Record<string, unknown> | undefined): string | null | undefined {
  const entries = Object.entries(parameters ?? {}).map(([key, value]) => [key.toLowerCase(), value] as const)
  const found = new Map(entries)
  const token = found.get('accesstoken')
  if (token != null && token !== '') return typeof token === 'string' ? bearerToken(`Bearer ${token}`) : undefined
  const header = found.get('authorization')
  return header == null || typeof header === 'string' ? bearerToken(header) : undefined
}

/**
 * Keeps a socket open until the end of a fresh token of the same session; a token that ends earlier changes nothing.
 * @throws ParleyError OPERATION_REFUSED for a token of another session, or what the guard says of the token
 */
export async function renew({ connection }: Extra, token: string, guard: Guard): Promise<Date> {
  const { caller, admission } = await identify(guard, bearerToken(`Bearer ${token}`))
  if (!caller.viewer && caller.refusal) throw caller.refusal
  if (!connection || admission?.viewer.sessionId !== connection.sessionId) {
    throw new ParleyError('OPERATION_REFUSED', 'The token is of another session than this socket')
  }
  connection.expiresAt = Math.max(connection.expiresAt, admission.expiresAt)
  return new Date(connection.expiresAt)
}
