// Cursors in edge cases: a position does not identify a fact (A2), and a cursor that cannot be served gets the reason, never a
// silent gap (A9, D3). SQL simulates a restored backup.

import type pg from 'pg'
import { expect, test } from 'vitest'
import type { Position } from '../../src/id.ts'
import { parseId } from '../../src/id.ts'
import { encodeCursor, epochKeyOf, parseCursor } from '../../src/journal/cursor.ts'
import { messageOf } from '../../src/message/row.ts'
import { type Node, openNode } from '../support/node.ts'
import { pulling } from '../support/pull.ts'
import { expectStart, openTalk, positionOf, quiet, resume } from './pair.ts'
import { appendSend, eventually, input, sendBatch } from './setup.ts'

/** Gives the facts from this position on different tags: same positions, different history, as after a restore. */
async function rewriteFrom(client: pg.Client, position: number): Promise<void> {
  await client.query('update fact set tag = tag # 1431655765 where position >= $1', [position])
}

/** Removes the last facts, like a restored backup that lacks them: the journal ends before this position. */
async function cutFrom(client: pg.Client, position: number): Promise<void> {
  await client.query('begin')
  await client.query('delete from message where id >= $1', [position])
  await client.query('delete from fact where position >= $1', [position])
  await client.query(`update conversation_head h set
    last_seq = (select coalesce(max(seq), 0) from message m where m.conversation_id = h.conversation_id),
    last_position = (select max(position) from fact f where f.conversation_id = h.conversation_id)`)
  await client.query('commit')
}

test('A2 after a new epoch, streams close to resume, and old cursors are reset with OTHER_EPOCH', async () => {
  const { node, bob, client, conversationId, alice, say } = await openTalk()
  const [cursor] = await say('before')
  const open = await bob.events().live()
  await client.query('update journal set epoch = gen_random_uuid()')
  expect(await open.ending()).toMatchObject({ code: resume })
  const log = bob.events({ after: cursor ?? null })
  await expectStart(log, 'RESET', 'OTHER_EPOCH')
  await say('after')
  await log.text('after')
  expect(log.texts).toEqual(['after'])
  await expectStart(bob.events({ after: log.cursor }), 'RESUMED', null)
  expect(node.app.journal.cursor({ position: 1 as Position, tag: 1 })).not.toBe(cursor)
  expect((await alice.send(conversationId, 'and on')).message.seq).toBe(3)
})

test('A2 if the last facts differ, nodes forget, close their streams, and reset the cursors of exactly those facts', async () => {
  const { node, bob, client, say } = await openTalk()
  const second = await openNode({ ...quiet, DATABASE_URL: node.databaseUrl })
  const [kept, lost, last] = await say('kept', 'rewritten', 'rewritten too')
  const position = positionOf(lost)
  const streams = [await bob.events().live(), await (await bob.another(second)).events().live()]
  const head = node.app.journal.head()
  await eventually('the second node knows them', () => second.app.journal.head().position === head.position)
  expect(messageOf(node.app.journal.row(position))?.text).toBe('rewritten')

  await rewriteFrom(client, position)
  for (const stream of streams) expect(await stream.ending()).toMatchObject({ code: resume })
  for (const { app } of [node, second]) {
    expect(app.journal.head().position).toBe(head.position)
    expect(app.journal.head().tag).not.toBe(head.tag)
    expect(app.journal.row(position)).toBeUndefined()
  }
  for (const cursor of [lost, last]) await expectStart(bob.events({ after: cursor ?? null }), 'RESET', 'OTHER_HISTORY')
  const log = bob.events({ after: kept ?? null })
  await expectStart(log, 'RESUMED', null)
  expect(log.texts).toEqual(['rewritten', 'rewritten too'])
})

test.each([1, 3])('A2 tells an old fact from %i new facts that took its place', async (count) => {
  const { node, bob, client, conversation, alice, say } = await openTalk()
  const [kept, lost] = await say('kept', 'lost')
  const stream = await bob.events().live()
  const texts = Array.from({ length: count }, (_, i) => `in its place ${i}`)
  const sender = parseId('User', alice.userId, '')
  await cutFrom(client, positionOf(lost))
  // Another writer appends before this node notices the loss.
  const { positions } = await sendBatch(
    client,
    texts.map((text) => input(conversation, sender, text)),
  )
  expect(positions[0]).toBe(positionOf(lost))
  expect(await stream.ending()).toMatchObject({ code: resume })
  expect(stream.texts).toEqual([])
  expect(node.app.journal.head().position).toBe(positionOf(lost) + count - 1)
  await expectStart(bob.events({ after: lost ?? null }), 'RESET', 'OTHER_HISTORY')
  const log = bob.events({ after: kept ?? null })
  await expectStart(log, 'RESUMED', null)
  expect(log.texts).toEqual(texts)
})

test('A2 does not take batches of another history, or of none, from the bus for ever', async () => {
  const { node, bob, conversation, alice, say } = await openTalk()
  await say('real')
  const log = await bob.events().live()
  const { position, tag } = node.app.journal.head()
  const topic = node.app.journal.topic(node.app.config.journal.follow === 'full' ? 'facts' : 'digests')
  const sender = parseId('User', alice.userId, '')
  const fact = { tag: 1, occurredAt: Date.now(), kind: 1, conversationId: conversation, userId: null, actorId: sender }
  const forged = { ...fact, position: position + 1, subjectId: position + 1, audienceChange: 0, payload: null }
  // A copy of this installation on the same Redis that diverged before our last fact: its batches are ignored.
  for (const message of [null, 'nonsense', { facts: 7 }, { previousTag: tag ^ 1, facts: [forged], rows: [] }]) {
    node.app.bus.publish(topic, message)
  }
  node.malformedExpected = 3
  await say('real too')
  await log.text('real too')
  expect(log.texts).toEqual(['real too'])
  expect(log.ended).toBeNull()
  // Or one that continues from our very last fact: the next look at Postgres detects it, and the streams close to resume.
  const { position: last, tag: previousTag } = node.app.journal.head()
  const next = { ...forged, position: last + 1, subjectId: last + 1 }
  node.app.bus.publish(topic, { previousTag, facts: [next], rows: [] })
  expect(await log.ending()).toMatchObject({ code: resume })
  expect(node.app.journal.head()).toMatchObject({ position: last, tag: previousTag })
})

test('A9 a cursor ahead of the journal is reset with AHEAD_OF_JOURNAL', async () => {
  const { node, bob, client, say } = await openTalk()
  const [kept, , lost] = await say('kept', 'lost', 'lost too')
  const stream = await bob.events().live()
  await cutFrom(client, positionOf(kept) + 1)
  expect(await stream.ending()).toMatchObject({ code: resume })
  expect(node.app.journal.head().position).toBe(positionOf(kept))
  await expectStart(bob.events({ after: lost ?? null }), 'RESET', 'AHEAD_OF_JOURNAL')
  await expectStart(bob.events({ after: kept ?? null }), 'RESUMED', null)
})

test('A9 a node that is behind waits for a cursor that another node has just issued', async () => {
  const { node, bob, conversation, alice, say } = await openTalk()
  // Without Redis each of the two has its own bus: they learn of each other from Postgres, every 250 ms.
  const second = await openNode({ ...quiet, DATABASE_URL: node.databaseUrl })
  const there = await bob.another(second)
  await say('warm')
  let wasBehind = 0
  for (let i = 0; i < 10; i += 1) {
    const outcome = await appendSend(node, input(conversation, parseId('User', alice.userId, ''), `text ${i}`))
    if (outcome.status !== 'SENT') throw new Error(outcome.status)
    if (second.app.journal.head().position < outcome.place.position) wasBehind += 1
    const stream = await second.app.journal.openStream({
      userId: parseId('User', bob.userId, ''),
      after: { ...outcome.place, epochKey: epochKeyOf(await epochOf(node)) },
      conversationId: null,
      onAbandoned: () => undefined,
    })
    if (!stream) throw new Error('no stream')
    const next = pulling(stream)
    expect(await next()).toMatchObject({ type: 'started', mode: 'RESUMED' })
    expect(await next()).toMatchObject({ type: 'caughtUp', count: 0, place: outcome.place })
    stream.close()
  }
  expect(wasBehind).toBeGreaterThan(5)

  const [cursor] = await say('through the API')
  const log = there.events({ after: cursor ?? null })
  await expectStart(log, 'RESUMED', null)
  await say('next')
  await log.text('next')
  expect(log.texts).toEqual(['next'])
})

async function epochOf(node: Node): Promise<string> {
  const { rows } = await node.app.store.journalPool.query<{ epoch: string }>('select epoch from journal')
  return rows[0]?.epoch ?? ''
}

test('A2 a forged cursor is BAD_INPUT, whatever is wrong with it', async () => {
  const { node, bob, say } = await openTalk()
  const [cursor = ''] = await say('hello')
  const bytes = Buffer.from(cursor, 'base64url')
  const withByte = (at: number, value: number) => Buffer.from(bytes.with(at, value)).toString('base64url')
  const malformed = [
    '',
    'nonsense',
    '💬',
    cursor.slice(0, -1),
    `${cursor}A`,
    `${cursor}=`,
    ` ${cursor}`,
    `${cursor}\u0000`,
    withByte(0, 2), // an unknown version
    withByte(9, 0x7f), // a position beyond 2^53
    'A'.repeat(10_000),
  ]
  for (const after of malformed) {
    const log = bob.events({ after })
    await log.until('a refusal', ({ errors }) => errors.length > 0)
    const [error] = log.errors.flat() as { extensions?: { code?: string; argument?: string } }[]
    expect(error?.extensions, JSON.stringify(after)).toMatchObject({ code: 'BAD_INPUT', argument: 'after' })
    expect(log.seen).toEqual([])
  }
  await expectStart(bob.events({ after: cursor }), 'RESUMED', null)
  expect(encodeCursor(epochKeyOf(await epochOf(node)), parseCursor(cursor, 'after'))).toBe(cursor)
})
