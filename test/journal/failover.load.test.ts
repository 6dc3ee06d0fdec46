// A database that went back to an earlier state: a standby that was behind is promoted, or a backup is restored (A2, D3). Real
// clusters with streaming replication. Positions are reused for other facts; cursors tell the difference.

import { randomUUID } from 'node:crypto'
import { expect, inject, test } from 'vitest'
import { Address, Cluster } from '../support/cluster.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { OneConversation } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { expectStart, positionOf, quiet, resume } from './pair.ts'
import { eventually } from './setup.ts'

/** Two clusters are created and started, each in a few seconds on a busy machine. */
const limit = 90_000

/** What a user sent, with the cursor of each message. */
async function say(who: Device, conversationId: string, ...texts: string[]): Promise<string[]> {
  const cursors: string[] = []
  for (const text of texts) cursors.push((await who.send(conversationId, text)).cursor)
  return cursors
}

/** Sends until the database accepts it: it may be away for a moment. */
async function sayAgain(who: Device, conversationId: string, text: string): Promise<void> {
  const key = randomUUID()
  await eventually(`"${text}" to be sent`, () =>
    who.send(conversationId, text, key).then(
      () => true,
      () => false,
    ),
  )
}

const numbered = (word: string, count: number) => Array.from({ length: count }, (_, i) => `${word} ${i}`)

/** Opens streams until one begins as expected: a node that has not noticed yet closes them. */
async function begins(
  who: Device,
  after: string | undefined,
  mode: string,
  reasons: readonly (string | null)[],
): Promise<string[]> {
  let texts: string[] = []
  await eventually(`a stream that begins with ${mode}`, async () => {
    const log = who.events({ after: after ?? null })
    await log.until(
      'its beginning or its end',
      ({ seen, ended, errors }) => seen.length > 0 || ended !== null || errors.length > 0,
    )
    const [start] = log.seen
    if (start?.__typename !== 'SyncStarted' || start.mode !== mode) return false
    expect(reasons).toContain(start.reason ?? null)
    await log.live()
    texts = log.texts
    log.stop()
    return true
  })
  return texts
}

test(
  'A2 D3 a standby that was behind is promoted under running nodes: lost cursors are reset by their tags, others resume exactly',
  async () => {
    const primary = await Cluster.create()
    await primary.stop()
    const standby = await primary.copy()
    await primary.start()
    await standby.follow(primary)
    const address = await Address.open(primary)
    const settings = { ...quiet, DATABASE_URL: address.url, REDIS_URL: inject('redisUrl') }
    const nodes = [await openNode(settings), await openNode(settings)] as [Node, Node]
    const [alice, bob] = (await signUpAll(nodes[0], 'Alice', 'Bob')) as [Device, Device]
    const bobThere = await bob.another(nodes[1])
    const id = await alice.direct(bob)
    const kept = await say(alice, id, ...numbered('kept', 10))

    // Everything up to here is on the standby; what follows is not.
    const { lsn } = await primary.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn')
    const behind = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as is_there'
    await eventually('the stand-by to have it', async () => (await standby.query<{ is_there: boolean }>(behind, [lsn])).is_there)
    await standby.query(`alter system set primary_conninfo = ''`)
    await standby.query('select pg_reload_conf()')
    const receivers = 'select count(*)::int as receivers from pg_stat_wal_receiver'
    await eventually('the stand-by to be cut off', async () => {
      return (await standby.query<{ receivers: number }>(receivers)).receivers === 0
    })
    const streams = [
      await bob.events({ after: kept[0] ?? null }).live(),
      await bobThere.events({ after: kept[0] ?? null }).live(),
    ]
    const lost = await say(alice, id, ...numbered('lost', 8))
    for (const stream of streams) await stream.text('lost 7')
    const { messages } = await standby.query<{ messages: number }>('select count(*)::int as messages from message')
    expect(messages).toBe(10)

    await standby.query('select pg_promote()')
    address.lead(standby)
    await primary.stop()
    // Fewer facts than were lost: some positions have another fact, others none yet.
    await sayAgain(alice, id, 'new 0')
    for (const stream of streams) expect((await stream.ending()).code).toBe(resume)
    await say(alice, id, 'new 1', 'new 2')
    for (const who of [bob, bobThere]) {
      for (const cursor of lost.slice(0, 3)) await begins(who, cursor, 'RESET', ['OTHER_HISTORY'])
      for (const cursor of lost.slice(3)) await begins(who, cursor, 'RESET', ['AHEAD_OF_JOURNAL'])
      expect(await begins(who, kept[4], 'RESUMED', [null])).toEqual([...numbered('kept', 10).slice(5), 'new 0', 'new 1', 'new 2'])
      expect(await begins(who, kept[9], 'RESUMED', [null])).toEqual(['new 0', 'new 1', 'new 2'])
    }
    // And more: every lost position has another fact by now.
    await say(alice, id, ...numbered('more', 10))
    for (const who of [bob, bobThere]) {
      for (const cursor of lost) await begins(who, cursor, 'RESET', ['OTHER_HISTORY'])
    }
    // A device that is reset reads a new snapshot, and has what the others have.
    const { conversation } = await bobThere.run(OneConversation, { id })
    expect(conversation?.lastMessage).toMatchObject({ seq: 23, text: 'more 9' })
    const log = await bobThere.events({ after: kept[9] ?? null }).live()
    await say(alice, id, 'live')
    await log.text('live')
    expect(log.texts).toEqual([...numbered('new', 3), ...numbered('more', 10), 'live'])
    for (const node of nodes) {
      const { rows } = await node.app.store.journalPool.query('select position from fact order by position')
      expect(rows.map(({ position }) => position)).toEqual(rows.map((_, i) => i + 1))
    }
  },
  limit,
)

test(
  'A2 D3 a backup is restored under other nodes: cursors from before it resume exactly, later ones are reset',
  async () => {
    const cluster = await Cluster.create()
    const address = await Address.open(cluster)
    const settings = { ...quiet, DATABASE_URL: address.url }
    const before = await openNode(settings)
    const [alice, bob] = (await signUpAll(before, 'Alice', 'Bob')) as [Device, Device]
    const id = await alice.direct(bob)
    const kept = await say(alice, id, ...numbered('kept', 5))
    await before.close()
    await cluster.stop()
    const backup = await cluster.copy()

    await cluster.start()
    address.lead(cluster)
    const meanwhile = await openNode(settings)
    alice.node = meanwhile
    const lost = await say(alice, id, ...numbered('lost', 5))
    await meanwhile.close()
    await cluster.stop()

    await backup.start()
    address.lead(backup)
    const after = await openNode(settings)
    for (const device of [alice, bob]) device.node = after
    for (const cursor of lost) await expectStart(bob.events({ after: cursor }), 'RESET', 'AHEAD_OF_JOURNAL')
    const again = await say(alice, id, ...numbered('again', 5))
    expect(again.map(positionOf)).toEqual(lost.map(positionOf))
    for (const cursor of lost) await expectStart(bob.events({ after: cursor }), 'RESET', 'OTHER_HISTORY')
    for (const [i, cursor] of kept.entries()) {
      const log = bob.events({ after: cursor })
      await expectStart(log, 'RESUMED', null)
      expect(log.texts).toEqual([...numbered('kept', 5).slice(i + 1), ...numbered('again', 5)])
    }
  },
  limit,
)
