// Who acts: the first argument of every action.

/** The user and the session (a login on one device) on whose behalf something is done. */
export type Viewer = {
  readonly userId: number
  readonly sessionId: number
}
