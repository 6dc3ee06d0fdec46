// The viewer on whose behalf something happens: the first argument of every action.

import type { SessionId, UserId } from './id.ts'

/** A user, and the session (a login on one device) with which the user acts. */
export type Viewer = {
  readonly userId: UserId
  readonly sessionId: SessionId
}
