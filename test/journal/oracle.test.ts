// The batch against its definition: many inputs in one CALL must end like the same inputs one at a time.

import type pg from 'pg'
import { expect, test } from 'vitest'
import { conversationIdOf } from '../../src/id.ts'
import type { SendInput } from '../../src/message/send.ts'
import { type Random, withSeed } from '../support/random.ts'
import { connectAs, createGroup, createJournal, createUsers, input, joins, leaves, request, row, sendBatch } from './setup.ts'

const rounds = 250
const conversationIds = [1, 2, 3] as const
/** It is encrypted, and in its second epoch. */
const encryptedId = 3
/** All of them are users; members change while the test runs. 900 is never a member. */
const userIds = [100, 101, 102, 900] as const

async function openWorld(): Promise<pg.Client> {
  const client = await connectAs(await createJournal(), 'test oracle')
  await createUsers(client, userIds)
  for (const id of conversationIds) await createGroup(client, id, [100, 101, 102], id === encryptedId ? { encrypted: true } : {})
  await client.query('update epoch_head set epoch = 1')
  return client
}

/** Few keys, texts and users, so that repeats, conflicts and strangers meet in one batch. */
function drawBatch(random: Random, keys: readonly [string, ...string[]]): SendInput[] {
  const hot = random.one(keys)
  return Array.from({ length: random.whole(1, 12) }, () => {
    const key = random.chance(0.4) ? hot : random.chance(0.5) ? random.one(keys) : random.uuid()
    const senderId = random.chance(0.1) ? 900 : random.one([100, 100, 101, 102])
    const conversationId = random.one(conversationIds)
    const isSealed = random.chance(conversationId === encryptedId ? 0.9 : 0.1)
    const sealed = isSealed ? { ciphertext: Buffer.from(random.uuid()), epoch: random.whole(0, 2) } : null
    return { ...input(conversationId, senderId, isSealed ? '' : `text ${random.whole(1, 2)}`, key), sealed }
  })
}

/** A user leaves or comes back, in both databases alike. */
async function changeMembers(random: Random, present: Set<string>, worlds: readonly pg.Client[]): Promise<void> {
  const [conversationId, userId] = [random.one(conversationIds), random.one([101, 102])]
  const place = `${conversationId} ${userId}`
  const change = present.has(place) ? leaves : joins
  if (!present.delete(place)) present.add(place)
  const isRekeyed = random.chance(0.2)
  for (const world of worlds) {
    await request(world, [change(conversationId, userId, 100)])
    if (isRekeyed) await world.query('update epoch_head set needs_rekey = false')
  }
}

/** The J tables, without random values and times. */
async function contents(world: pg.Client): Promise<unknown> {
  return row(
    world,
    `select
       (select json_agg(f order by f.position) from (select position, kind, conversation_id, actor_id, subject_id, audience_change from fact) f) as facts,
       (select json_agg(m order by m.id) from (select id, conversation_id, seq, sender_id, client_message_id, request_hash::text, text, ciphertext, epoch from message) m) as messages,
       (select json_agg(h order by h.conversation_id) from (select conversation_id, last_seq, last_position from conversation_head) h) as heads,
       (select json_agg(a order by a.conversation_id, a.user_id, a.from_position) from audience a) as audience`,
  )
}

test('A6 one batch ends like the same inputs one at a time', () =>
  withSeed(async (random) => {
    const [together, alone] = [await openWorld(), await openWorld()]
    const present = new Set(conversationIds.flatMap((id) => [101, 102].map((userId) => `${id} ${userId}`)))
    const outcomes = new Map([0, 1, 2, 3, 8, 9, 10].map((status) => [status, 0]))
    let keys: readonly [string, ...string[]] = [random.uuid()]
    for (let round = 0; round < rounds; round += 1) {
      if (round % 10 === 0) keys = [random.uuid(), random.uuid(), random.uuid(), ...keys.slice(0, 4)]
      if (random.chance(0.3)) await changeMembers(random, present, [together, alone])
      const batch = drawBatch(random, keys)
      const { positions, seqs, statuses } = await sendBatch(together, batch)
      const one = { positions: [] as unknown[], seqs: [] as unknown[], statuses: [] as number[] }
      for (const single of batch) {
        const answer = await sendBatch(alone, [single])
        one.positions.push(answer.positions[0])
        one.seqs.push(answer.seqs[0])
        one.statuses.push(...answer.statuses)
      }
      expect({ positions, seqs, statuses }, `round ${round}: ${JSON.stringify(batch)}`).toEqual(one)
      for (const status of statuses) outcomes.set(status, (outcomes.get(status) ?? 0) + 1)
    }
    expect(await contents(together)).toEqual(await contents(alone))
    expect(outcomes.size).toBe(7)
    for (const [status, count] of outcomes) expect(count, `inputs with status ${status}`).toBeGreaterThan(5)
  }))

test('A6 a batch with refused inputs commits the others, without gaps', async () => {
  const world = await openWorld()
  const known = input(1, 100, 'known')
  await sendBatch(world, [known])
  const before = await row<{ head: number }>(world, 'select max(position) as head from fact')
  const batch = [
    input(1, 100, 'first'),
    input(1, 900, 'of a stranger'),
    input(1, 101, 'second'),
    { ...known, text: 'known key, other content' },
    input(99, 100, 'to nowhere'),
    known,
    input(2, 101, 'elsewhere'),
    input(1, 102, 'third'),
  ]
  const answer = await sendBatch(world, batch)
  expect(answer.statuses).toEqual([0, 3, 0, 2, 3, 1, 0, 0])
  expect(answer.positions.map((p) => p && p - before.head)).toEqual([1, null, 2, null, null, 0, 3, 4])
  expect(answer.seqs).toEqual([2, null, 3, null, null, 1, 1, 4])
  const stored = await world.query<{ text: string }>('select text from message where id > $1 order by id', [before.head])
  expect(stored.rows.map(({ text }) => text)).toEqual(['first', 'second', 'elsewhere', 'third'])
})

test('A6 a copy of a refused input is a conflict if its key was used with different content in between', async () => {
  const [together, alone] = [await openWorld(), await openWorld()]
  for (const world of [together, alone]) await request(world, [leaves(1, 102, 100)])
  const refused = input(1, 102, 'the same text in two conversations')
  const batch = [refused, { ...refused, conversationId: conversationIdOf(2) }, refused]
  const one: number[] = []
  for (const single of batch) one.push(...(await sendBatch(alone, [single])).statuses)
  expect(one).toEqual([3, 0, 2])
  expect((await sendBatch(together, batch)).statuses).toEqual(one)
})

test('A6 a batch of refused inputs leaves the journal as it was', async () => {
  const world = await openWorld()
  const before = await contents(world)
  const { statuses } = await sendBatch(world, [input(1, 900, 'a'), input(77, 100, 'b'), input(2, 900, 'c')])
  expect(statuses).toEqual([3, 3, 3])
  expect(await contents(world)).toEqual(before)
})
