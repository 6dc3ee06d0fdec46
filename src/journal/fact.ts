// Facts. They hold IDs, never text: the current data is read when an event is executed.

import type { ConversationId, Position, UserId } from '../id.ts'

/** One thing that happened, as the journal keeps it. Immutable. */
export type Fact = {
  /** 1, 2, 3, … over all facts, without gaps, in commit order. */
  readonly position: Position
  /** A random number of the append that wrote the fact. Position and tag together identify the fact. */
  readonly tag: number
  /** Milliseconds since 1970 by the clock of Postgres; never earlier than the previous fact. */
  readonly occurredAt: number
  /** The number of the fact's kind: see FactKind. */
  readonly kind: number
  /** The recipients: the audience of this conversation … */
  readonly conversationId: ConversationId | null
  /** … or this user. Exactly one of these two is set. */
  readonly userId: UserId | null
  /** The user who acted; null for the system. */
  readonly actorId: UserId | null
  /** The subject, by kind: a message, a user, a conversation or a session. */
  readonly subjectId: number | null
  /** +1: the subject, a user, joins the conversation's audience with this fact. -1: the subject leaves it after this fact. */
  readonly audienceChange: number
  readonly payload: unknown
}

/** The position, kind, recipients and subject of a fact. */
export type FactHeader = Pick<Fact, 'position' | 'kind' | 'conversationId' | 'userId' | 'subjectId'>

/** A fact that a rare write appends. Its keys are the columns of `fact`. */
export type NewFact = {
  kind: number
  conversation_id?: ConversationId
  user_id?: UserId
  actor_id?: UserId
  subject_id: number
  audience_change?: 1 | -1
  /** With a join: the user sees no message from before it. Only the numbering reads this; `fact` has no such column. */
  since_joining?: true
  /** With a join: the conversation is encrypted from its start. Only the numbering reads this, too. */
  encrypted?: true
  /** An encrypted conversation needs a commit before the next message. Only the numbering reads this, too. */
  rekey?: true
  payload?: unknown
}

/**
 * The payload that numbering gives a fact whose `audienceChange` is +1. `seq` is that of the last message before the join;
 * `visibleFromSeq` is set if the user sees none of the messages up to there.
 */
export type JoinPayload = { readonly seq: number; readonly visibleFromSeq?: number }

/** A place in the journal: everything up to this position, in the history in which the fact there has this tag. */
export type Place = { readonly position: Position; readonly tag: number }
