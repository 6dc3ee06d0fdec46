// A trimmed journal: the floor, what devices below it get, and that numbers never start again (A9). SQL plays the trimmer.

import type pg from 'pg'
import { expect, test } from 'vitest'
import { factKinds } from '../../src/features.ts'
import { encodeId, messageIdOf, type Position, parseId } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { Fact } from '../../src/journal/fact.ts'
import type { StreamItem } from '../../src/journal/item.ts'
import { replayOn } from '../../src/journal/replay.ts'
import type { Stream } from '../../src/journal/stream.ts'
import { messageOf } from '../../src/message/row.ts'
import { DeleteMessage } from '../law/documents.ts'
import { openNode } from '../support/node.ts'
import { pulling } from '../support/pull.ts'
import { expectStart, openTalk, positionOf, quiet } from './pair.ts'
import { eventually, input, row, sendBatch } from './setup.ts'

/** Trims: removes the facts up to this position and raises the floor, in one transaction. */
async function trimTo(client: pg.Client, position: number): Promise<void> {
  await client.query('begin')
  await client.query('delete from fact where position <= $1', [position])
  await client.query('update journal set floor = $1', [position])
  await client.query('commit')
}

test('A9 a cursor below the floor is reset with CURSOR_TOO_OLD, unless the node still remembers what follows it', async () => {
  const { node, bob, client, say } = await openTalk()
  const [old, floor, kept] = await say('old', 'at the floor', 'kept', 'and kept')
  await trimTo(client, positionOf(floor))
  const remembered = bob.events({ after: old ?? null })
  await expectStart(remembered, 'RESUMED', null)
  expect(remembered.texts).toEqual(['at the floor', 'kept', 'and kept'])

  const fresh = await bob.another(await openNode({ ...quiet, DATABASE_URL: node.databaseUrl }))
  await expectStart(fresh.events({ after: old ?? null }), 'RESET', 'CURSOR_TOO_OLD')
  const log = fresh.events({ after: kept ?? null })
  await expectStart(log, 'RESUMED', null)
  expect(log.texts).toEqual(['and kept'])
  await say('live')
  await log.text('live')
})

test('A9 trimming every fact does not restart the numbers, and no open stream misses anything', async () => {
  const { node, bob, client, say } = await openTalk()
  const [, last] = await say('one', 'two')
  const log = await bob.events().live()
  await trimTo(client, positionOf(last))
  expect(await row(client, 'select count(*) as facts from fact')).toEqual({ facts: 0 })
  expect(await row(client, 'select head, tag from journal_head()')).toEqual({ head: positionOf(last), tag: 0 })

  const fresh = await bob.another(await openNode({ ...quiet, DATABASE_URL: node.databaseUrl }))
  const first = await fresh.events().live()
  const atFloor = first.cursor
  expect(parseCursor(atFloor, 'after')).toMatchObject({ position: positionOf(last), tag: 0 })
  const [next] = await say('three')
  expect(positionOf(next)).toBe(positionOf(last) + 1)
  for (const stream of [log, first]) await stream.text('three')
  expect(log.ended).toBeNull()
  expect(log.texts).toEqual(['three'])
  const resumed = fresh.events({ after: atFloor })
  await expectStart(resumed, 'RESUMED', null)
  expect(resumed.texts).toEqual(['three'])
})

test('A9 a cursor at the floor, whose own fact is trimmed, is CURSOR_TOO_OLD, even if nothing follows it', async () => {
  const { node, bob, client, say } = await openTalk()
  const [, last] = await say('one', 'two')
  await trimTo(client, positionOf(last))
  const onEmpty = await bob.another(await openNode({ ...quiet, DATABASE_URL: node.databaseUrl }))
  await say('three')
  const later = await bob.another(await openNode({ ...quiet, DATABASE_URL: node.databaseUrl }))
  await expectStart(later.events({ after: last ?? null }), 'RESET', 'CURSOR_TOO_OLD')
  await expectStart(onEmpty.events({ after: last ?? null }), 'RESET', 'CURSOR_TOO_OLD')
})

/** Pulls a stream until it is live, and calls `act` after a given number of facts. */
async function pull(stream: Stream, after: number, act: () => Promise<void>): Promise<StreamItem[]> {
  const items: StreamItem[] = []
  const next = pulling(stream)
  for (let facts = 0; ; ) {
    const item = await next()
    if (!item) throw new Error('the stream has ended')
    items.push(item)
    if (item.type === 'fact') facts += 1
    if (item.type === 'fact' && facts === after) await act()
    if (item.type === 'caughtUp') return items
  }
}

test('A9 a replay overtaken by the trimmer sends RESET and continues from the head', async () => {
  const { node, bob, client, conversation, alice, say } = await openTalk({ PARLEY_WINDOW_FACTS_MAX: '100' })
  const [begin] = await say('begin')
  const sender = parseId('User', alice.userId, '')
  for (let batch = 0; batch < 15; batch += 1) {
    await sendBatch(
      client,
      Array.from({ length: 200 }, (_, i) => input(conversation, sender, `message ${batch * 200 + i}`)),
    )
  }
  const head = positionOf(begin) + 3_000
  await eventually('the node has seen them', () => node.app.journal.head().position === head)
  const userId = parseId('User', bob.userId, '')
  const stream = await node.app.journal.openStream({
    userId,
    after: parseCursor(begin ?? '', 'after'),
    conversationId: null,
    onAbandoned: () => undefined,
  })
  if (!stream) throw new Error('no stream')
  const items = await pull(stream, 500, () => trimTo(client, positionOf(begin) + 2_500))
  stream.close()

  expect(items[0]).toMatchObject({ type: 'started', mode: 'RESUMED' })
  const reset = items.findIndex((item) => item.type === 'started' && item.mode === 'RESET')
  expect(items[reset]).toMatchObject({ reason: 'CURSOR_TOO_OLD', place: { position: head } })
  // Before the RESET everything, in order and without a gap; after it only new facts.
  const before = items.slice(1, reset).map(({ place }) => place.position)
  expect(before).toEqual(before.map((_, i) => positionOf(begin) + 1 + i))
  expect(items.slice(reset + 1)).toEqual([{ type: 'caughtUp', count: 0, place: expect.objectContaining({ position: head }) }])
})

test('A9 a window of a replay ends at the head, however far the request goes', async () => {
  const { node, bob, conversation, say } = await openTalk()
  const cursors = await say('one', 'two')
  const { position, tag } = parseCursor(cursors[1] ?? '', 'after')
  const beyond = (position + 50_000) as Position
  for (const conversationId of [null, conversation]) {
    const scope = { userId: parseId('User', bob.userId, ''), conversationId }
    const page = await replayOn(node.app.store.reader, factKinds)(scope, positionOf(cursors[0]), beyond)
    expect(page).toMatchObject({ end: { position, tag }, floor: 0 })
    expect(page.facts.map((fact: Fact) => fact.position)).toEqual([position])
    const nothing = await replayOn(node.app.store.reader, factKinds)(scope, position, beyond)
    expect(nothing).toEqual({ facts: [], end: { position, tag }, floor: 0 })
  }
})

test('D7 a message deleted while a slow device has it read ahead is not shown with its text', async () => {
  const { node, alice, bob, client, conversation, say } = await openTalk({ PARLEY_WINDOW_FACTS_MAX: '100' })
  const [begin] = await say('begin')
  const sender = parseId('User', alice.userId, '')
  await sendBatch(
    client,
    Array.from({ length: 150 }, (_, i) => input(conversation, sender, `message ${i}`)),
  )
  const last = positionOf(begin) + 150
  await eventually('the node has seen them', () => node.app.journal.head().position === last)
  const stream = await node.app.journal.openStream({
    userId: parseId('User', bob.userId, ''),
    after: parseCursor(begin ?? '', 'after'),
    conversationId: null,
    onAbandoned: () => undefined,
  })
  if (!stream) throw new Error('no stream')
  const next = pulling(stream)
  await next() // started
  const first = await next() // the messages of the first page are read with it
  expect(first).toMatchObject({ type: 'fact', row: { text: 'message 0' } })
  const messageId = encodeId('Message', messageIdOf(positionOf(begin) + 3))
  await alice.run(DeleteMessage, { input: { messageId } })
  const [second, third] = [await next(), await next()]
  stream.close()
  expect(second).toMatchObject({ row: { text: 'message 1' } })
  expect(third).toMatchObject({ place: { position: positionOf(begin) + 3 } })
  expect(third?.type === 'fact' && (messageOf(third.row)?.text ?? '')).toBe('')
})
