// Reads the part of presence that is in Postgres: the users' settings, who may see them, and when they were last active. Signs of
// life are not written to Postgres.

import type { UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'

/** How a user chose to appear to others. */
export type PresenceMode = 'AUTOMATIC' | 'DO_NOT_DISTURB' | 'INVISIBLE'

/** Who can see when a user was last active. */
export type LastActiveVisibility = 'EVERYONE' | 'CONTACTS' | 'NOBODY'

/** A user's settings, and the last activity on any device that was written. Times in milliseconds since 1970. */
export type PresenceSettings = {
  readonly userId: UserId
  readonly mode: PresenceMode
  readonly modeSince: number
  readonly visibility: LastActiveVisibility
  readonly lastActiveAt: number | null
}

/** A viewer's relation to another user. `isBlocked`: in either direction. */
export type ViewerRelation = { readonly userId: UserId; readonly isContact: boolean; readonly isBlocked: boolean }

const milliseconds = (column: string) => `(extract(epoch from ${column}) * 1000)::bigint`
const presenceSettings = statement<PresenceSettings>(
  'presence_settings',
  `select u.id as "userId", u.presence_mode as mode, ${milliseconds('u.presence_mode_at')} as "modeSince",
          u.last_active_visibility as visibility,
          (select ${milliseconds('max(s.last_active_at)')} from session s where s.user_id = u.id) as "lastActiveAt"
     from "user" u where u.id = any($1::bigint[])`,
)
const relations = statement<ViewerRelation & { viewerId: UserId }>(
  'presence_relations',
  `select * from (
     select p.viewer_id as "viewerId", u.id as "userId",
            exists (select 1 from contact c where c.low_id = least(u.id, p.viewer_id) and c.high_id = greatest(u.id, p.viewer_id)
                       and c.accepted_at is not null) as "isContact",
            exists (select 1 from block_between b where b.user_id = p.viewer_id and b.other_id = u.id) as "isBlocked",
            u.id = p.viewer_id or exists (
              select 1 from member mine join member theirs using (conversation_id)
               where mine.user_id = p.viewer_id and theirs.user_id = u.id) as "isNear"
       from unnest($1::bigint[], $2::bigint[]) as p(viewer_id, user_id) join "user" u on u.id = p.user_id
      where u.deleted_at is null) r
    where "isNear" or "isContact"`,
)

/** Reads the settings of these users. Omits users who do not exist. */
export function readPresenceSettings(reader: Reader, userIds: readonly UserId[]): Promise<PresenceSettings[]> {
  return reader.rows(presenceSettings, [userIds])
}

/** A viewer and a user. */
export type ViewerAndUser = readonly [viewerId: UserId, userId: UserId]

/** Reads viewers' relations to users. Omits users that the viewer may not see: no contact, and no shared conversation. */
export function readRelations(
  reader: Reader,
  pairs: readonly ViewerAndUser[],
): Promise<(ViewerRelation & { readonly viewerId: UserId })[]> {
  return reader.rows(relations, [pairs.map(([viewerId]) => viewerId), pairs.map(([, userId]) => userId)])
}
