// Many contacts of one user, for what presence costs and how it treats many devices.

import { encodeId, parseId, sessionIdOf, userIdOf } from '../../src/id.ts'
import { Device } from '../support/device.ts'
import { connect, type Node } from '../support/node.ts'

/** This many contacts of a user, written straight into the tables, each logged in on one of the nodes in turn. */
export async function befriend(star: Device, nodes: readonly Node[], count: number): Promise<Device[]> {
  const [first] = nodes
  if (!first) throw new Error('no node')
  const sql = await connect(first.databaseUrl)
  const starId = parseId('User', star.userId, '')
  const { rows } = await sql.query<{ userId: string; sessionId: string; username: string }>(
    `with people as (
       insert into "user"(username, display_name) select 'fan' || n, 'Fan' from generate_series(1, $1::int) n returning id, username),
     friends as (
       insert into contact(low_id, high_id, requested_by, accepted_at)
         select least(id, $2::bigint), greatest(id, $2::bigint), id, now() from people)
     insert into session(user_id, device_name, expires_at)
       select id, 'Phone', now() + interval '1 day' from people
     returning user_id as "userId", id as "sessionId", (select username from people where people.id = user_id) as username`,
    [count, starId],
  )
  return Promise.all(
    rows.map(async ({ userId, sessionId, username }, i) => {
      const node = nodes[i % nodes.length] as Node
      const { token } = await node.app.tokens.signAccess(userIdOf(userId), sessionIdOf(sessionId))
      const session = { id: encodeId('Session', sessionIdOf(sessionId)) }
      const viewer = { id: encodeId('User', userIdOf(userId)), username }
      return new Device(node, { accessToken: token, refreshToken: '', session, viewer })
    }),
  )
}
