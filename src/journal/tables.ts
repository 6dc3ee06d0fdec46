// Reads the J tables. Only the SQL functions in prisma/functions write them.

import type { ConversationId, Position, UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { Fact, Place } from './fact.ts'
import type { FactKinds } from './kind.ts'

/** An interval in which a user is in a conversation's audience, from one position to the other, inclusive; null: no end yet. */
export type AudienceRow = {
  readonly conversationId: ConversationId
  readonly userId: UserId
  readonly fromPosition: Position
  readonly toPosition: Position | null
  /** The user sees messages with a greater seq; 0 for all. */
  readonly visibleFromSeq: number
}

/** The last place of the journal, and the UUID of its epoch. */
export type Head = Place & { readonly epoch: string }

/** A time as milliseconds since 1970, in SQL. */
export const milliseconds = (column: string) => `floor(extract(epoch from ${column}) * 1000)::bigint`

/** The columns of a fact with the names of `Fact`, from a table or alias `f`. */
export const factColumns = `f.position, f.tag, ${milliseconds('f.occurred_at')} as "occurredAt", f.kind,
  f.conversation_id as "conversationId", f.user_id as "userId", f.actor_id as "actorId", f.subject_id as "subjectId",
  f.audience_change as "audienceChange", f.payload`

/**
 * Whether an audience interval (alias `a`) does not hide a fact (alias `f`) that lies in it: a user who sees no messages from
 * before the join receives no facts about them either. The ID of a named row is the position of the fact that created it, so
 * the two are comparable.
 */
export const isNotHidden = ({ rowKinds }: FactKinds) =>
  `(a.visible_from_seq = 0 or f.kind not in (${rowKinds.join()}) or f.subject_id > a.from_position)`

const head = statement<Head>(
  'journal_head',
  `select coalesce(f.position, j.floor) as position, coalesce(f.tag, 0) as tag, j.epoch
     from journal j left join lateral (select position, tag from fact order by position desc limit 1) f on true`,
)
const factsAfter = statement<Fact>(
  'journal_facts_after',
  `select ${factColumns} from fact f where f.position > $1 order by f.position limit $2`,
)
const tagAt = statement<{ tag: number | null; floor: Position }>(
  'journal_tag_at',
  'select j.floor, f.tag from journal j left join fact f on f.position = $1',
)
const audienceOf = statement<AudienceRow>(
  'audience_of_users',
  `select conversation_id as "conversationId", user_id as "userId", from_position as "fromPosition", to_position as "toPosition",
          visible_from_seq as "visibleFromSeq"
     from audience where user_id = any($1::bigint[])`,
)
/** Reads the place of the last fact; if there is none, that of the floor, with tag 0. */
export async function readHead(reader: Reader): Promise<Head> {
  const [row] = await reader.rows(head, [])
  if (!row) throw new Error('the table journal has no row')
  return row
}

/** Reads at most `limit` facts after a position, in order. */
export function readFactsAfter(reader: Reader, position: Position, limit: number): Promise<Fact[]> {
  return reader.rows(factsAfter, [position, limit])
}

/** Reads the tag of the fact at a position (null if there is none) and the floor, in one snapshot. */
export async function readTagAt(reader: Reader, position: Position): Promise<{ tag: number | null; floor: Position }> {
  const [row] = await reader.rows(tagAt, [position])
  if (!row) throw new Error('the table journal has no row')
  return row
}

/** Reads all intervals in which these users are or were in an audience. */
export function readAudience(reader: Reader, userIds: readonly UserId[]): Promise<AudienceRow[]> {
  return reader.rows(audienceOf, [userIds])
}

const lastLeft = statement<{ conversationId: ConversationId; position: Position }>(
  'last_left',
  `select conversation_id as "conversationId", max(to_position) as position from audience
    where conversation_id = any($1::bigint[]) and to_position is not null group by 1`,
)

/** Reads the position of the last leave from each of these conversations. Omits conversations that no user has left. */
export async function readLastLeft(
  reader: Reader,
  conversationIds: readonly ConversationId[],
): Promise<ReadonlyMap<ConversationId, Position>> {
  const rows = await reader.rows(lastLeft, [conversationIds])
  return new Map(rows.map(({ conversationId, position }) => [conversationId, position]))
}
