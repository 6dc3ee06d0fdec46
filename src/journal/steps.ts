// The steps of a write through a node, as channels of node:diagnostics_channel, for tracing and for tests that end a node at a
// step. A channel without listeners costs an empty call, so they are always there. They carry numbers, never text. Listeners run
// synchronously, within the step.

import { channel } from 'node:diagnostics_channel'

/** The steps, in the order in which a write takes them. */
export const steps = {
  /** A batch is about to go to Postgres: `{ inputs }`, their number. Nothing is written yet. */
  appendCalling: channel('parley:append.calling'),
  /** Postgres has committed a batch: `{ inputs }`. Only Postgres and this node know about it. */
  appendCommitted: channel('parley:append.committed'),
  /** This node's follower has taken a batch, and it is being published: `{ inputs }`. No input has been answered. */
  appendAnnounced: channel('parley:append.announced'),
  /** Each input of a batch has its outcome: `{ inputs }`. No answer has been written to a socket. */
  appendAnswered: channel('parley:append.answered'),
  /** A rare write is committed: `{ tag }`, the tag of its facts. It is neither announced nor answered. */
  writeCommitted: channel('parley:write.committed'),
  /** The follower is about to remember the next facts: `{ position, facts }`, the first position and the number of facts. */
  followTaking: channel('parley:follow.taking'),
  /** The follower remembers them, and no stream has received them: `{ position, facts }`. */
  followRemembered: channel('parley:follow.remembered'),
  /** The follower has read facts from Postgres, because their batch did not come: `{ facts }`, their number. */
  followRead: channel('parley:follow.read'),
  /**
   * A stream is about to deliver a fact to its device: `{ position, occurredAt, isLive }`. The second is in milliseconds since
   * 1970; the last is false for a fact that the device missed.
   */
  streamShowing: channel('parley:stream.showing'),
  /** An event was executed: `{ isShared }`, whether for all subscriptions with one operation key or for one of them. */
  eventExecuted: channel('parley:event.executed'),
} as const
