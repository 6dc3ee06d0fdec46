// What a fact is. Facts hold ids, never text: what they show is read as it is when they are shown.

/** One thing that happened, as the journal keeps it. Immutable. */
export type Fact = {
  /** 1, 2, 3, … over all facts, gapless, in the order of their commits. */
  readonly position: number
  /** Drawn at random for the append that wrote it: position and tag together are the fact's identity. */
  readonly tag: number
  /** Milliseconds since 1970 by the clock of Postgres; never less than the predecessor's. */
  readonly occurredAt: number
  /** The number of its kind: see FactKind. */
  readonly kind: number
  /** Who hears it: the audience of this conversation … */
  readonly conversationId: number | null
  /** … or this user. Exactly one of the two is set. */
  readonly userId: number | null
  /** The user who did it; null where the system did. */
  readonly actorId: number | null
  /** What it is about: a message, a user, a conversation, a session, by its kind. */
  readonly subjectId: number | null
  /** +1: the subject, a user, joins the conversation's audience with this fact. -1: leaves it after this fact. */
  readonly audienceChange: number
  readonly payload: unknown
}

/** A fact that a rare write wants numbered. Its keys are the columns of `fact`. */
export type NewFact = {
  kind: number
  conversation_id?: number
  user_id?: number
  actor_id?: number
  subject_id: number
  audience_change?: 1 | -1
  /** Beside a join: the user sees no message that was written before it. For the numbering alone; `fact` has no such column. */
  since_joining?: true
  payload?: unknown
}

/**
 * The payload that numbering gives a fact whose `audienceChange` is +1: the seq of the last message before the join, and for a user
 * who sees none of the messages up to there, that it is so.
 */
export type JoinPayload = { readonly seq: number; readonly visibleFromSeq?: number }

/** A place in the journal: everything up to this position, in the history in which the fact there has this tag. */
export type Place = { readonly position: number; readonly tag: number }
