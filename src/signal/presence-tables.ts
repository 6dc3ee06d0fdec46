// What Postgres keeps of presence: what people chose to show of it, who may see it, and when they were here last. No sign of
// life is written to it.

import { type Reader, statement } from '../store/reader.ts'

/** What a user chose to be seen as. */
export type PresenceMode = 'AUTOMATIC' | 'DO_NOT_DISTURB' | 'INVISIBLE'

/** Who may know when a user was last active. */
export type LastActiveVisibility = 'EVERYONE' | 'CONTACTS' | 'NOBODY'

/** What a user chose, and when they were last active on any device, as far as it was written. Times in milliseconds since 1970. */
export type Standing = {
  readonly userId: number
  readonly mode: PresenceMode
  readonly modeSince: number
  readonly visibility: LastActiveVisibility
  readonly lastUsedAt: number | null
}

/** What a viewer is to another user: `isBlocked` in either direction. */
export type Relation = { readonly userId: number; readonly isContact: boolean; readonly isBlocked: boolean }

const milliseconds = (column: string) => `(extract(epoch from ${column}) * 1000)::bigint`
const standings = statement<Standing>(
  'presence_standings',
  `select u.id as "userId", u.presence_mode as mode, ${milliseconds('u.presence_mode_at')} as "modeSince",
          u.last_active_visibility as visibility,
          (select ${milliseconds('max(s.last_used_at)')} from session s where s.user_id = u.id) as "lastUsedAt"
     from "user" u where u.id = any($1::bigint[])`,
)
const relations = statement<Relation>(
  'presence_relations',
  `select * from (
     select u.id as "userId",
            exists (select 1 from contact c where c.low_id = least(u.id, $1) and c.high_id = greatest(u.id, $1)
                       and c.accepted_at is not null) as "isContact",
            exists (select 1 from block b where (b.blocker_id = $1 and b.blocked_id = u.id)
                        or (b.blocker_id = u.id and b.blocked_id = $1)) as "isBlocked",
            u.id = $1 or exists (select 1 from member mine join member theirs using (conversation_id)
                                  where mine.user_id = $1 and theirs.user_id = u.id) as "isNear"
       from unnest($2::bigint[]) as asked(id) join "user" u on u.id = asked.id
      where u.deleted_at is null) r
    where "isNear" or "isContact"`,
)

/** What these users chose. Who does not exist is left out. */
export function readStandings(reader: Reader, userIds: readonly number[]): Promise<Standing[]> {
  return reader.rows(standings, [userIds])
}

/** What a viewer is to these users. Left out is who is neither a contact nor in a conversation with them: not theirs to see. */
export function readRelations(reader: Reader, viewerId: number, userIds: readonly number[]): Promise<Relation[]> {
  return reader.rows(relations, [viewerId, userIds])
}
