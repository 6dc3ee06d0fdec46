// Replays facts that are no longer in memory: reads from Postgres, window by window, those that one user may see. The window
// bounds the work instead of a LIMIT, so the next read can continue from its end even if the window had no visible facts.

import type { ConversationId, Position, UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { Fact, Place } from './fact.ts'
import type { FactKinds } from './kind.ts'
import { factColumns, isNotHidden } from './tables.ts'

/** One window of a replay. */
export type ReplayPage = {
  readonly facts: readonly Fact[]
  /** The end of the window: the requested end or the head of the journal, whichever is smaller. */
  readonly end: Place
  /** The journal's floor in the same snapshot. If it is above the window's start, the window lacks facts. */
  readonly floor: Position
}

type ReplayBounds = { end: Position; endTag: number | null; floor: Position }
type ReplayRow = ReplayBounds & { [column in keyof Fact]: Fact[column] | null }

const bounds = `with bounds as materialized (
  select j.floor, e.position as "end", coalesce(f.tag, 0) as "endTag"
    from journal j
    cross join lateral (select least($3::bigint, coalesce((select position from fact order by position desc limit 1), j.floor)) as position) e
    left join fact f on f.position = e.position)`

/** The user of a replay, and its conversation (null for all conversations and the user's own facts). */
export type ReplayScope = { readonly userId: UserId; readonly conversationId: ConversationId | null }

/** Reads the facts after `from` up to `to` that a user may see, in order. */
export type ReadReplay = (scope: ReplayScope, from: Position, to: Position) => Promise<ReplayPage>

/** Prepares replays of facts of these kinds. */
export function replayOn(reader: Reader, kinds: FactKinds): ReadReplay {
  const inIntervals = `f.position > greatest($2::bigint, a.from_position - 1)
   and f.position <= least((select "end" from bounds), coalesce(a.to_position, (select "end" from bounds)))
   and ${isNotHidden(kinds)}`
  const everything = statement<ReplayRow>(
    'replay_everything',
    `${bounds}
   select b.*, ${factColumns} from bounds b left join lateral (
     select f.* from audience a cross join lateral (
       select f.* from fact f where f.conversation_id = a.conversation_id and ${inIntervals}) f
      where a.user_id = $1
     union all
     select f.* from fact f where f.user_id = $1 and f.position > $2 and f.position <= b."end") f on true
   order by f.position`,
  )
  const oneConversation = statement<ReplayRow>(
    'replay_one_conversation',
    `${bounds}
   select b.*, ${factColumns} from bounds b left join lateral (
     select f.* from audience a cross join lateral (
       select f.* from fact f where f.conversation_id = a.conversation_id and ${inIntervals}) f
      where a.user_id = $1 and a.conversation_id = $4) f on true
   order by f.position`,
  )
  return async ({ userId, conversationId }, from, to) => {
    const rows =
      conversationId === null
        ? await reader.rows(everything, [userId, from, to])
        : await reader.rows(oneConversation, [userId, from, to, conversationId])
    const [first] = rows
    if (!first) throw new Error('the table journal has no row')
    const facts = rows.filter((row): row is ReplayBounds & Fact => row.position !== null)
    return { facts, end: { position: first.end, tag: first.endTag ?? 0 }, floor: first.floor }
  }
}
