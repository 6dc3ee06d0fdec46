// The rules behind the journal's speed (B), as far as they show from outside: in the catalogue of Postgres, in the steps of a
// node, and in its statements.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { accountKinds } from '../../src/account/events.ts'
import { factKinds } from '../../src/features.ts'
import { conversationIdOf, type Position, userIdOf } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import { RecentLog } from '../../src/journal/recent-log.ts'
import { messageKinds } from '../../src/message/events.ts'
import { AddReaction, MarkRead } from '../law/documents.ts'
import { signUp } from '../support/device.ts'
import { AddMembers } from '../support/documents.ts'
import { openTalk, positionOf } from './pair.ts'
import { appendSend, connectAs, createGroup, createJournal, createUsers, eventually, input, row, sendBatch } from './setup.ts'

const src = fileURLToPath(new URL('../../src', import.meta.url))
const jTables = ['fact', 'audience', 'conversation_head', 'message', 'reaction', 'read_marker', 'message_version', 'journal']

test('B2 the lock is an advisory one, the head is the last fact, and no row is written by every append', async () => {
  const databaseUrl = await createJournal()
  const [holder, other] = [await connectAs(databaseUrl, 'test holder'), await connectAs(databaseUrl, 'test other')]
  await createUsers(holder, [100, 101])
  for (const id of [1, 2]) await createGroup(holder, id, [100, 101])
  const versions = async () =>
    (
      await other.query<{ t: string }>(
        `select 'journal' || xmin as t from journal union all select 'head' || xmin from conversation_head where conversation_id = 2`,
      )
    ).rows
  const before = await versions()
  await holder.query('begin; select journal_lock()')
  const waiting = sendBatch(other, [input(1, 100, 'waits')])
  const lock = `select count(*)::int as n from pg_locks l join pg_stat_activity a using (pid)
    where locktype = 'advisory' and classid = 7021 and not granted and application_name = 'test other'`
  await eventually('the send to wait for the advisory lock', async () => (await row<{ n: number }>(holder, lock)).n === 1, 1_500)
  await holder.query('commit')
  const { positions } = await waiting
  expect(await versions()).toEqual(before)
  expect(positions).toEqual([(await row<{ p: number }>(holder, 'select max(position) as p from fact')).p])
})

test('B4 a rare write leaves one request and answers with the place of its facts; frequent actions leave none', async () => {
  const { node, alice, conversationId, client } = await openTalk()
  const group = await alice.group('Requests')
  const carol = await signUp(node, 'Carol')
  await client.query(`create table seen(tag int); create function see() returns trigger language plpgsql as
    $$ begin insert into seen values (new.tag); return null; end $$;
    create trigger see after insert on journal_request for each row execute function see()`)
  const { message } = await alice.send(conversationId, 'frequent')
  await alice.run(AddReaction, { input: { messageId: message.id, emoji: '👍' } })
  await alice.run(MarkRead, { input: { conversationId, seq: 1 } })
  expect((await client.query('select * from seen')).rows).toEqual([])
  const { addMembers } = await alice.run(AddMembers, { input: { conversationId: group, userIds: [carol.userId] } })
  const requests = (await client.query<{ tag: number }>('select tag from seen')).rows
  const { position, tag } = parseCursor(addMembers.cursor ?? '', '')
  expect(requests).toEqual([{ tag }])
  const facts = await client.query<{ position: number }>('select position from fact where tag = $1 order by position', [tag])
  expect(facts.rows.at(-1)).toEqual({ position })
  expect(node.app.journal.head()).toMatchObject({ position, tag })
})

test('B4 only the one wrapper makes requests', async () => {
  const files = (await readdir(src, { recursive: true })).filter((f) => f.endsWith('.ts') && !f.includes('generated'))
  const texts = await Promise.all(files.map(async (f) => [f, await readFile(path.join(src, f), 'utf8')] as const))
  expect(texts.filter(([, text]) => /into journal_request/.test(text)).map(([f]) => f)).toEqual(['journal/writing.ts'])
})

test('B7 a batch is at most 200 inputs and 256 KiB', async () => {
  const { node, conversation, alice, bob } = await openTalk({ PARLEY_APPEND_LANES: '1' })
  const batches: number[] = []
  const hear = (message: unknown) => batches.push((message as { inputs: number }).inputs)
  subscribe('parley:append.calling', hear)
  onTestFinished(() => void unsubscribe('parley:append.calling', hear))
  const senders = [alice, bob].map(({ userId }) => Number.parseInt(userId.slice(4), 36))
  const send = (text: string, i: number) => appendSend(node, input(conversation, senders[i % 2] ?? 0, text))
  await Promise.all(Array.from({ length: 700 }, (_, i) => send(`short ${i}`, i)))
  expect(Math.max(...batches)).toBe(200)
  batches.length = 0
  await Promise.all(Array.from({ length: 100 }, (_, i) => send('x'.repeat(10_000), i)))
  expect(Math.max(...batches)).toBe(Math.floor(262_144 / 10_100))
})

test('B7 texts are compressed with lz4 if Postgres has it, and no J table has an index that is slow to maintain', async () => {
  const client = await connectAs(await createJournal(), 'test catalogue')
  const text = `select (select attcompression from pg_attribute where attrelid = 'message'::regclass and attname = 'text') as how,
    (select 'lz4' = any(enumvals) from pg_settings where name = 'default_toast_compression') as can`
  // A Postgres built without lz4 keeps its own compression.
  const { how, can } = await row<{ how: string; can: boolean }>(client, text)
  expect(how).toBe(can ? 'l' : '')
  const indexes = await client.query(
    `select distinct amname from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
      join pg_class t on t.oid = i.indrelid where t.relname = any($1)`,
    [jTables],
  )
  expect(indexes.rows).toEqual([{ amname: 'btree' }])
})

test("B8 the key index is (client_message_id, sender_id), and a send's look-ups happen before the lock", async () => {
  const client = await connectAs(await createJournal(), 'test catalogue')
  const text = `select array_agg(a.attname::text order by k.n) as columns from pg_index i
    cross join lateral unnest(i.indkey::int[]) with ordinality k(attnum, n)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = 'message'::regclass and i.indisunique group by i.indexrelid`
  const { rows } = await client.query<{ columns: string[] }>(text)
  expect(rows.map(({ columns }) => columns.join())).toContain('client_message_id,sender_id')
  const { source } = await row<{ source: string }>(client, `select prosrc as source from pg_proc where proname = 'journal_send'`)
  const beforeTheLock = source.slice(0, source.indexOf('journal_lock()'))
  for (const table of ['message', 'current_audience'])
    expect(beforeTheLock).toMatch(new RegExp(`perform 1 from unnest.*from ${table} `, 's'))
})

test('B9 a replay walks windows of positions that grow while little is found, up to 20,000, and finds what lies at the end', async () => {
  const { node, alice, bob, conversationId, conversation, client } = await openTalk({ PARLEY_WINDOW_FACTS_MAX: '100' })
  const { cursor } = await alice.send(conversationId, 'first')
  const from = positionOf(cursor)
  // Far more facts than a recent log holds, none of them for Bob. The last window ends with them, wherever the log begins.
  await client.query(
    `insert into fact(position, tag, occurred_at, kind, user_id, subject_id)
       select $1 + i, 5, now(), $2, 999999, 999999 from generate_series(1, 75000) i`,
    [from, accountKinds.UserUpdated.number],
  )
  await sendBatch(client, [input(conversation, Number.parseInt(alice.userId.slice(4), 36), 'last')])
  await eventually('the node to have come so far', () => node.app.journal.head().position > from + 75_000)
  const rows = vi.spyOn(node.app.store.reader, 'rows')
  const log = await bob.events({ after: cursor }).live()
  expect(log.texts).toEqual(['last'])
  const windows = rows.mock.calls
    .filter(([{ name }]) => name === 'replay_everything')
    .map(([, [, start, end]]) => [start, end] as [number, number])
  rows.mockRestore()
  expect(windows.map(([start, end]) => end - start).slice(0, -1)).toEqual([2_000, 4_000, 8_000, 16_000, 20_000, 20_000])
  for (const [i, [start]] of windows.entries()) expect(start).toBe(i === 0 ? from : windows[i - 1]?.[1])
})

test('B11 the memory is bounded by facts and by bytes, whichever is reached first', () => {
  const fact = (position: Position) => ({
    position,
    tag: 1,
    occurredAt: 0,
    kind: messageKinds.MessageSent.number,
    conversationId: conversationIdOf(1),
    userId: null,
    actorId: userIdOf(1),
    subjectId: position,
    audienceChange: 0,
    payload: null,
  })
  const message = (id: Position) => ({
    id,
    conversationId: 1,
    seq: id,
    senderId: 1,
    clientMessageId: '',
    text: 'x'.repeat(1_000),
    createdAt: 0,
    version: 1,
    editedAt: null,
    deletedAt: null,
    replyToId: null,
    mentionedUserIds: [],
  })
  const base = { position: 0 as Position, tag: 0 }
  const byFacts = new RecentLog(base, { factsMax: 100, bytesMax: 2 ** 30, reachMax: 100 }, factKinds)
  const byBytes = new RecentLog(base, { factsMax: 10_000, bytesMax: 50_000, reachMax: 10_000 }, factKinds)
  for (let i = 1; i <= 5_000; i += 1) {
    const position = i as Position
    for (const recentLog of [byFacts, byBytes]) recentLog.append([fact(position)], [message(position)])
    expect(byFacts.size).toBeLessThanOrEqual(100)
    expect(byBytes.bytes).toBeLessThanOrEqual(50_000)
  }
  expect(byFacts.size).toBe(100)
  expect(byBytes.size).toBeGreaterThan(10)
  expect(byBytes.row((5_000 - byBytes.size) as Position)).toBeUndefined()
  expect(byBytes.row(5_000 as Position)).toBeDefined()
})

test('C3 a cursor begins with a version, and an unknown version is refused by name', async () => {
  const { alice, conversationId } = await openTalk()
  const { cursor } = await alice.send(conversationId, 'hello')
  const bytes = Buffer.from(cursor, 'base64url')
  expect(bytes[0]).toBe(1)
  bytes[0] = 2
  expect(() => parseCursor(bytes.toString('base64url'), 'after')).toThrow('is not a cursor of this server')
})
