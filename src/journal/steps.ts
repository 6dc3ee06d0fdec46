// The steps of a write through a node, as channels of node:diagnostics_channel, for metrics, traces, and tests that end a node at
// a step. A channel without listeners costs an empty call, so they are always there. They carry numbers; `items` and `outcomes`
// are what the step handles, and hold texts: a listener reads no more of them than their identity and their places. Listeners run
// synchronously, within the step.

import { channel } from 'node:diagnostics_channel'

/** The steps, in the order in which a write takes them. */
export const steps = {
  /** An input waits on a lane: `{ item }`, the object that stands for it in the steps of its batch. */
  appendQueued: channel('parley:append.queued'),
  /** A batch is about to go to Postgres: `{ inputs, items }`, their number and themselves. Nothing is written yet. */
  appendCalling: channel('parley:append.calling'),
  /** Postgres has committed and flushed a batch: `{ inputs, items, outcomes }`. Only Postgres and this node know about it. */
  appendCommitted: channel('parley:append.committed'),
  /** This node's follower has taken a batch, and it is being published: `{ inputs, items }`. No input has been answered. */
  appendAnnounced: channel('parley:append.announced'),
  /** Each input of a batch has its outcome: `{ inputs }`. No answer has been written to a socket. */
  appendAnswered: channel('parley:append.answered'),
  /** A rare write is committed: `{ tag }`, the tag of its facts. It is neither announced nor answered. */
  writeCommitted: channel('parley:write.committed'),
  /** Its facts are on disk and numbered: `{ tag, position, facts }`, the first position and their number. */
  writeFlushed: channel('parley:write.flushed'),
  /** This node's follower has taken them, and they are being published: `{ tag }`. The write is not answered. */
  writeAnnounced: channel('parley:write.announced'),
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
  /** The payload of a fact was given to the WebSocket or event stream of a device: `{ position }`. */
  eventDelivered: channel('parley:event.delivered'),
  /** An event was executed: `{ isShared }`, whether for all subscriptions with one operation key or for one of them. */
  eventExecuted: channel('parley:event.executed'),
} as const
