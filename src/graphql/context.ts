// The context of resolvers: the caller, and the source of the data.

import { ParleyError } from '../errors.ts'
import type { ConversationId, Position } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { ServerKey, ServerKeyScope, SessionViewer, Viewer } from '../viewer.ts'

/**
 * The origin of a request: a viewer, a server key, a server key that acts for a viewer, or nobody. A field that needs a viewer throws
 * `refusal` if the token was refused.
 */
export type Caller =
  | { readonly viewer: Viewer; readonly key: ServerKey | null }
  | { readonly viewer: null; readonly key: ServerKey | null; readonly refusal: ParleyError | null }

/** The part of a conversation that the recipients of an event may see. */
export type VisibleRange = {
  readonly conversationId: ConversationId
  /** Whether they are in the conversation, as far as this node knows. */
  readonly isOpen: boolean
  /** They may see messages and changes up to this position. Later ones need a separate check. */
  readonly until: Position
}

/** The context of an operation. */
export type Context = {
  readonly app: App
  readonly caller: Caller
  /** Whether the request asks for the cost of the operation. */
  readonly asksForCost: boolean
  /** Returned as `x-request-id` and with masked errors. */
  readonly requestId: string
  /** The client's network address, as far as this node can know it. */
  readonly address: string
  /** The source of all data: the pool, or the snapshot of this operation. */
  readonly reader: Reader
  /** The place of this operation's snapshot; null if it runs outside one. */
  readonly snapshot: Place | null
  /**
   * Identifies one event, across viewers; null outside of events. A look-up that does not depend on the viewer is made only once
   * per scope.
   */
  readonly scope: object | null
  /**
   * Set if an event is executed for all viewers who see every message of this conversation; null otherwise. Such an execution has
   * no `caller`: reading it throws.
   */
  readonly wholeHistoryOf: ConversationId | null
  /** What the recipients of an event may see of its conversation; null outside of events, and for events without one. */
  readonly visibleRange: VisibleRange | null
  /**
   * Says that what is answered holds only until a time, in milliseconds since 1970, by the node's clock: a payload that many receive
   * is not kept for longer.
   */
  holdsUntil(at: number): void
  /** The device whose WebSocket carries the operation; null over HTTP and without a viewer. */
  device(): ReturnType<App['devices']['connect']> | null
  /** Ends the caller's connection so that the client resumes: closes a WebSocket with this code, cuts an event stream. */
  endConnection(code: number, reason: string): void
  /**
   * Keeps the caller's WebSocket open until a fresh access token expires; null if the operation came over HTTP. Rejects with a
   * ParleyError if the token is refused or belongs to another session.
   */
  readonly renewConnection: ((token: string) => Promise<Date>) | null
}

/**
 * The viewer of an operation.
 * @throws ParleyError UNAUTHENTICATED, TOKEN_EXPIRED or SESSION_REVOKED if there is none; FORBIDDEN for a server key that acts for
 *   nobody
 */
export function requireViewer({ caller }: Context): Viewer {
  if (caller.viewer) return caller.viewer
  if (caller.key) {
    throw new ParleyError('FORBIDDEN', 'A server key does this only on behalf of a user: name one in `parley-act-as`.')
  }
  throw (
    caller.refusal ??
    new ParleyError(
      'UNAUTHENTICATED',
      'This operation needs an access token. Send it as Authorization: Bearer <token> over HTTP, or as connectionParams.accessToken on a WebSocket.',
    )
  )
}

/** The viewer of an operation that belongs to a device. @throws as requireViewer; ParleyError FORBIDDEN if a server key acts */
export function requireSessionViewer(context: Context): SessionViewer {
  const { userId, sessionId } = requireViewer(context)
  if (sessionId !== null) return { userId, sessionId }
  throw new ParleyError('FORBIDDEN', 'This needs a session of the user: a server key cannot do it on behalf of somebody.')
}

/** Whether a server key acts for itself: there is no viewer. */
export const isBackend = ({ caller }: Context) => caller.key !== null && caller.viewer === null

/**
 * The server key that calls for itself, with one of these scopes.
 * @throws ParleyError UNAUTHENTICATED without one or FORBIDDEN without such a scope; FORBIDDEN for users, and for keys that act for one
 */
export function requireKey(context: Context, ...scopes: readonly [ServerKeyScope, ...ServerKeyScope[]]): ServerKey {
  const { key, viewer } = context.caller
  if (key && !viewer) {
    if (scopes.some((scope) => key.scopes.includes(scope))) return key
    throw new ParleyError('FORBIDDEN', `The server key does not have the scope ${scopes.join(' or ')}.`)
  }
  requireViewer(context)
  throw new ParleyError('FORBIDDEN', 'Only a server key that acts for nobody can do this.')
}
