// What a resolver is given: who asks, and what the answer is read from.

import { ParleyError } from '../errors.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'

/** Who came through the door: nobody, a viewer, or somebody whose token was refused (told when a field asks for a viewer). */
export type Caller = { readonly viewer: Viewer } | { readonly viewer: null; readonly refusal: ParleyError | null }

/** What those who are shown an event may see of its conversation. */
export type VisibleRange = {
  readonly conversationId: number
  /** They are in it, as far as this node knows. */
  readonly isOpen: boolean
  /** They may be shown what was written and changed up to this position. What is later needs another look. */
  readonly until: number
}

/** The context of an operation. */
export type Context = {
  readonly app: App
  readonly caller: Caller
  /** Given back as `x-request-id`, and beside masked errors. */
  readonly requestId: string
  /** Where the request comes from: the address of a client, as far as this node can know. */
  readonly address: string
  /** What is shown is read here: from the pool, or from the one snapshot of this operation. */
  readonly reader: Reader
  /** The place of this operation's snapshot; null where it runs in none. */
  readonly snapshot: Place | null
  /**
   * What the look-ups for one event have in common, whoever looks; null outside of events. Look-ups that do not depend on the
   * viewer are made once for it.
   */
  readonly scope: object | null
  /**
   * An event is executed for all who see every message of this conversation; null outside of such an execution. It has no
   * `caller`: asking for one throws.
   */
  readonly wholeHistoryOf: number | null
  /** What those who receive an event may see of its conversation; null outside of events, and in those of no conversation. */
  readonly visibleRange: VisibleRange | null
  /** The device whose WebSocket this came over; null over HTTP, and without a viewer. */
  device(): ReturnType<App['devices']['connect']> | null
  /** Ends the caller's connection so that the client resumes: a WebSocket with this close code, an event stream by cutting it. */
  endConnection(code: number, reason: string): void
  /**
   * Keeps the caller's WebSocket open until the end of a fresh access token; null where the operation came over HTTP.
   * Rejects with a ParleyError where the token is refused or of another session.
   */
  readonly renewConnection: ((token: string) => Promise<Date>) | null
}

/**
 * Who asks.
 * @throws ParleyError UNAUTHENTICATED, TOKEN_EXPIRED or SESSION_REVOKED where nobody does.
 */
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
