// The context of resolvers: the caller, and the source of the data.

import { ParleyError } from '../errors.ts'
import type { ConversationId, Position } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'

/** The origin of a request: a viewer, or none. A field that needs a viewer throws `refusal` if the token was refused. */
export type Caller = { readonly viewer: Viewer } | { readonly viewer: null; readonly refusal: ParleyError | null }

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

/** The viewer of an operation. @throws ParleyError UNAUTHENTICATED, TOKEN_EXPIRED or SESSION_REVOKED if there is none */
export function requireViewer({ caller }: Context): Viewer {
  if (caller.viewer) return caller.viewer
  throw (
    caller.refusal ??
    new ParleyError(
      'UNAUTHENTICATED',
      'This operation needs an access token. Send it as Authorization: Bearer <token> over HTTP, or as connectionParams.accessToken on a WebSocket.',
    )
  )
}
