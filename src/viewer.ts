// The viewer on whose behalf something happens: the first argument of every action.

/** A user, and the session (a login on one device) with which the user acts. */
export type Viewer = {
  readonly userId: number
  readonly sessionId: number
}
