// What a change of presence costs: one message of Redis, however many people see it, which reaches the nodes where somebody
// watches and no others.

import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { encodeId, parseId } from '../../src/id.ts'
import { Device, signUp } from '../support/device.ts'
import { closeAtEnd, connect, createDatabase, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { connectDevice, watchPresence } from './watch.ts'

const contacts = 500

/** People who are contacts of somebody, written straight into the tables, each logged in at one of the nodes in turn. */
async function befriend(star: Device, nodes: readonly Node[]): Promise<Device[]> {
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
    [contacts, starId],
  )
  return Promise.all(
    rows.map(async ({ userId, sessionId, username }, i) => {
      const node = nodes[i % nodes.length] as Node
      const { token } = await node.app.tokens.signAccess(Number(userId), Number(sessionId))
      const session = { id: encodeId('Session', Number(sessionId)) }
      const viewer = { id: encodeId('User', Number(userId)), username }
      return new Device(node, { accessToken: token, refreshToken: '', session, viewer })
    }),
  )
}

test('P1 500 contacts on 3 nodes hear of a change by one message to three nodes; a fourth hears nothing', {
  timeout: 60_000,
}, async () => {
  const databaseUrl = await createDatabase()
  const shared = { DATABASE_URL: databaseUrl, REDIS_URL: inject('redisUrl') }
  const nodes = [await openNode(shared), await openNode(shared), await openNode(shared)]
  const other = await openNode(shared)
  const star = await signUp(other, 'Star')
  const fans = await befriend(star, nodes)
  const watches = fans.map((fan) => watchPresence(fan, star))
  await until('all to know', () => watches.every((watch) => watch.states(star).length > 0), 30_000)

  const topic = other.app.journal.topic(`presence:${parseId('User', star.userId, '')}`)
  const redis = new Redis(inject('redisUrl'))
  closeAtEnd(async () => redis.disconnect())
  expect(await redis.pubsub('NUMSUB', topic)).toEqual([topic, nodes.length])
  const published: string[][] = []
  const monitor = await redis.monitor()
  closeAtEnd(async () => monitor.disconnect())
  monitor.on('monitor', (_time: string, args: string[]) => {
    if (args[0]?.toUpperCase() === 'PUBLISH' && args[1] === topic) published.push(args)
  })
  await connectDevice(star)
  await until('all to see it', () => watches.every((watch) => watch.states(star).at(-1) === 'ONLINE'), 30_000)
  expect(published).toHaveLength(1)
  expect(watches.map((watch) => watch.states(star).join()).filter((states) => states !== 'OFFLINE,ONLINE')).toEqual([])
  expect(watches.flatMap(({ errors }) => errors)).toEqual([])
})
