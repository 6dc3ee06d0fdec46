// What a fact is. Facts hold ids, never text: what they show is read as it is when they are shown.

/**
 * The kinds of facts and the numbers that the journal stores for them. A number is never changed and never used again.
 * Number 1 is written by the SQL function journal_send, 7 to 9 and 14 by journal_change, 10 by journal_mark.
 */
export const factKinds = {
  MessageSent: 1,
  ConversationAdded: 2,
  MemberJoined: 3,
  MemberLeft: 4,
  MemberUpdated: 5,
  SessionRevoked: 6,
  MessageEdited: 7,
  MessageDeleted: 8,
  ReactionsChanged: 9,
  ReadMarkersMoved: 10,
  ConversationUpdated: 11,
  MembershipUpdated: 12,
  InvitesChanged: 13,
  PinsChanged: 14,
  PresenceSettingsChanged: 15,
  UserUpdated: 20,
  ContactChanged: 21,
  BlockChanged: 22,
  MessagePolicyChanged: 23,
  ConversationClosed: 24,
  ConversationReopened: 25,
} as const

/** The name of a kind of fact: also the name of the event in the schema, where it has one. */
export type FactKind = keyof typeof factKinds

const names = new Map<number, FactKind>(Object.entries(factKinds).map(([name, number]) => [number, name as FactKind]))

/** One thing that happened, as the journal keeps it. Immutable. */
export type Fact = {
  /** 1, 2, 3, … over all facts, gapless, in the order of their commits. */
  readonly position: number
  /** Drawn at random for the append that wrote it: position and tag together are the fact's identity. */
  readonly tag: number
  /** Milliseconds since 1970 by the clock of Postgres; never less than the predecessor's. */
  readonly occurredAt: number
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

/** The name of a fact's kind, or null for one that a newer version wrote. */
export function kindOf(fact: Fact): FactKind | null {
  return names.get(fact.kind) ?? null
}

/** The kinds of facts whose subject is a message: its id, which is the position of the fact that created it. */
export const messageKinds: ReadonlySet<number> = new Set([
  factKinds.MessageSent,
  factKinds.MessageEdited,
  factKinds.MessageDeleted,
  factKinds.ReactionsChanged,
  factKinds.PinsChanged,
])

/** Whether a fact's subject is a message. */
export function namesMessage(fact: Fact): boolean {
  return messageKinds.has(fact.kind)
}

/** The payload of MemberJoined: the last message before the join, and, for who sees none up to there, that it is so. */
export type JoinPayload = { readonly seq: number; readonly visibleFromSeq?: number }

/** A place in the journal: everything up to this position, in the history in which the fact there has this tag. */
export type Place = { readonly position: number; readonly tag: number }
