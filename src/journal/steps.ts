// The steps that a write takes through a node, as channels of node:diagnostics_channel. A channel that nobody listens to
// costs an empty call, so they are always there: for tracing, and for tests that end a node at one of them. What they carry
// are numbers, never text. Listeners run at once, within the step.

import { channel } from 'node:diagnostics_channel'

/** Each step, in the order in which a write takes them. */
export const steps = {
  /** A batch is about to be sent to Postgres: `{ inputs }`, their number. Nothing is written yet. */
  appendCalling: channel('parley:append.calling'),
  /** Postgres has committed a batch: `{ inputs }`. Nobody knows of it but Postgres and this node. */
  appendCommitted: channel('parley:append.committed'),
  /** This node's follower has taken a batch, and its publish is on its way: `{ inputs }`. Nobody has been answered. */
  appendAnnounced: channel('parley:append.announced'),
  /** Each input of a batch has its outcome: `{ inputs }`. No answer has been written to a socket. */
  appendAnswered: channel('parley:append.answered'),
  /** A rare write is committed: `{ tag }`, that of its facts. It is neither announced nor answered. */
  writeCommitted: channel('parley:write.committed'),
  /** The follower is about to remember facts that continue its memory: `{ position, facts }`, the first and their number. */
  followTaking: channel('parley:follow.taking'),
  /** The follower remembers them and has told no stream: `{ position, facts }`. */
  followRemembered: channel('parley:follow.remembered'),
  /** A stream has handed over a fact, which is about to be shown to its device: `{ position }`. */
  streamShowing: channel('parley:stream.showing'),
  /** An event was executed: `{ isShared }`, once for all who ask the same of it, or once more for one of them. */
  eventExecuted: channel('parley:event.executed'),
} as const
