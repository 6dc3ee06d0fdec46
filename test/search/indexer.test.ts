// The durable reader that maintains the index: it loses nothing, does nothing twice, works on one node at a time, and repairs
// an index that does not fit.

import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { parseId, positionOf } from '../../src/id.ts'
import { messageKinds } from '../../src/message/events.ts'
import { moveWith, readProgress } from '../../src/search/tables.ts'
import { SearchUsers, UpdateProfile } from '../account/documents.ts'
import { connectAs, eventually, request, row } from '../journal/setup.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { indexed, textsFound } from './support.ts'

type SearchSetup = { node: Node; alice: Device; bob: Device; group: string; client: pg.Client }

async function openSetup(): Promise<SearchSetup> {
  const node = await openNode()
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  return { node, alice, bob, group: await alice.group('Index', bob), client: await connectAs(node.databaseUrl, 'test search') }
}

/** Has a fact say that a message has changed. */
async function tellOf({ client, group }: SearchSetup, messageId: string): Promise<void> {
  const about = { conversation_id: parseId('Conversation', group, ''), subject_id: parseId('Message', messageId, '') }
  await request(client, [{ kind: messageKinds.MessageSent.number, ...about }])
}

const rowsOf = async (client: pg.Client, messageId: string) =>
  (await client.query('select body from message_search where message_id = $1', [parseId('Message', messageId, '')])).rows

test('a message is found within a second after it was sent', async () => {
  const { alice, bob, group } = await openSetup()
  await alice.send(group, '먼저 온 소식')
  await eventually('the first one is found', async () => (await textsFound(bob, '소식')).length === 1)
  for (let i = 0; i < 5; i += 1) {
    await alice.send(group, `방금 ${i} 번째`)
    await eventually(`it is found: ${i}`, async () => (await textsFound(bob, `${i} 방금`)).length === 1, 1_000)
  }
})

test('a deleted text leaves the index, and an edited one is found by its new words only', async () => {
  const setup = await openSetup()
  const { node, alice, bob, group, client } = setup
  const deleted = (await alice.send(group, '지울 비밀')).message.id
  const gone = (await alice.send(group, '사라질 비밀')).message.id
  const edited = (await alice.send(group, '고칠 비밀')).message.id
  await indexed(node)
  expect(await textsFound(bob, '비밀')).toHaveLength(3)
  await client.query(`update message set text = '' where id = $1`, [parseId('Message', deleted, '')])
  await client.query(`delete from message where id = $1`, [parseId('Message', gone, '')])
  await client.query(`update message set text = '새로운 글' where id = $1`, [parseId('Message', edited, '')])
  // Search shows the truth at once, before the index has followed.
  expect(await textsFound(bob, '비밀')).toEqual([])
  for (const id of [deleted, gone, edited]) await tellOf(setup, id)
  await eventually('the index has heard', async () => (await textsFound(bob, '새로운')).length === 1)
  expect(await rowsOf(client, deleted)).toEqual([])
  expect(await rowsOf(client, gone)).toEqual([])
  expect(await rowsOf(client, edited)).toEqual([{ body: '새로운 글' }])
})

test('messages sent while no node runs, or an indexer stops half way, are indexed once when a node runs again', async () => {
  const { node, alice, group, client } = await openSetup()
  for (let i = 0; i < 20; i += 1) await alice.send(group, `하나 ${i}`)
  await node.close()
  // Back to the start: all facts are new to this index, although it has some of their rows.
  await client.query('update message_search_progress set position = 0, tag = 0, walked = null')
  const again = await openNode({ DATABASE_URL: node.databaseUrl })
  alice.node = again
  await indexed(again)
  expect(await textsFound(alice, '하나')).toHaveLength(20)
  expect(await row(client, 'select count(*) as rows from message_search')).toEqual({ rows: 20 })
})

test('an index of another history is rebuilt while it continues to answer', async () => {
  const { node, alice, bob, group, client } = await openSetup()
  for (let i = 0; i < 5; i += 1) await alice.send(group, `진짜 ${i}`)
  await indexed(node)
  await node.close()
  const conversation = parseId('Conversation', group, '')
  // The index belongs to a journal that went further, with other messages.
  await client.query('update message_search_progress set position = 1000, tag = 12345')
  await client.query(`insert into message_search values (900, $1, 9, 1, now(), '가짜 글', '''가짜''')`, [conversation])
  await client.query(`update message_search set body = '가짜 글', terms = '''가짜''' where message_id <> 900`)
  const again = await openNode({ DATABASE_URL: node.databaseUrl, PARLEY_LOG_LEVEL: 'silent' })
  bob.node = again
  await indexed(again)
  expect(await textsFound(bob, '진짜')).toHaveLength(5)
  expect(await textsFound(bob, '가짜')).toEqual([])
  expect(await row(client, 'select count(*) as rows from message_search')).toEqual({ rows: 5 })
  const { position, tag } = await readProgress(again.app.store.reader)
  expect(await row(client, 'select position, tag from fact order by position desc limit 1')).toEqual({ position, tag })
})

test('a row of another history is replaced as a whole when its message changes', async () => {
  const setup = await openSetup()
  const { node, alice, bob, group, client } = setup
  const other = await alice.group('Other', bob)
  const sent = (await alice.send(group, '진짜 글')).message.id
  await indexed(node)
  // As after a restore of the index alone, before a rebuild has come to this message.
  await client.query('update message_search set conversation_id = $1, seq = 99, sender_id = 99, body = $2', [
    parseId('Conversation', other, ''),
    '가짜 글',
  ])
  await tellOf(setup, sent)
  const expected = {
    conversation: parseId('Conversation', group, ''),
    seq: 1,
    sender: parseId('User', alice.userId, ''),
    body: '진짜 글',
  }
  const text = 'select conversation_id as conversation, seq, sender_id as sender, body from message_search'
  await eventually('the row is replaced', async () => isDeepStrictEqual(await row(client, text), expected))
})

test('an edit that only a lost history had does not enter the index', async () => {
  const { node, alice, group } = await openSetup()
  await alice.send(group, '처음 글')
  await indexed(node)
  const was = await readProgress(node.app.store.reader)
  const { position, tag } = node.app.journal.head()
  const lost = { position: positionOf(position + 5), tag: 12_345 }
  const { reader } = node.app.store
  expect(await moveWith(reader, was, { position, tag }, lost, [], [])).toBe(null)
  expect(await moveWith(reader, was, { position, tag }, { position, tag }, [], [])).toMatchObject({ position, tag })
  expect(await readProgress(node.app.store.reader)).toEqual(was)
})

test('facts trimmed before the index had seen them cost no message', async () => {
  const { node, alice, bob, group, client } = await openSetup()
  for (let i = 0; i < 5; i += 1) await alice.send(group, `옛날 ${i}`)
  await node.close()
  await client.query('truncate message_search; update message_search_progress set position = 1, tag = 1, walked = null')
  await client.query('update journal set floor = (select max(position) - 1 from fact)')
  await client.query('delete from fact where position <= (select floor from journal)')
  bob.node = await openNode({ DATABASE_URL: node.databaseUrl, PARLEY_LOG_LEVEL: 'silent' })
  await indexed(bob.node)
  expect(await textsFound(bob, '옛날')).toHaveLength(5)
})

test('walked = 0 rebuilds the index, as documented for operators', async () => {
  const { node, alice, bob, group, client } = await openSetup()
  for (let i = 0; i < 5; i += 1) await alice.send(group, `다시 ${i}`)
  await indexed(node)
  await client.query('truncate message_search')
  expect(await textsFound(bob, '다시')).toEqual([])
  await client.query('update message_search_progress set walked = 0')
  await eventually('they are found again', async () => (await textsFound(bob, '다시')).length === 5)
})

test('messages indexed by other rules, or meanwhile by a node of another version, are indexed again, and so are names', async () => {
  const { node, alice, bob, group, client } = await openSetup()
  await alice.send(group, 'Parley™ rocks')
  await alice.run(UpdateProfile, { input: { displayName: '𝓐𝓵𝓲𝓬𝓮 O’Hara' } })
  await indexed(node)
  await node.close()
  const stale = `update message_search set body = E'\\x1fparleytm\\x1e \\x1frocks\\x1e', terms = '''parleytm'' ''rocks'''`
  // As a version without seals left it.
  await client.query(`${stale}; update message_search_progress set seal = ''`)
  await client.query(`update "user" set search_name = 'stale', search_fold = 0`)
  const again = await openNode({ DATABASE_URL: node.databaseUrl, PARLEY_LOG_LEVEL: 'silent' })
  for (const device of [alice, bob]) device.node = again
  await indexed(again)
  expect(await textsFound(bob, 'parley rocks')).toEqual(['Parley™ rocks'])
  const { searchUsers } = await bob.run(SearchUsers, { query: "alice o'h" })
  expect(searchUsers.edges?.map((edge) => edge?.node?.username)).toEqual(['alice'])
  // A node of another version takes a turn beside this one.
  await alice.send(group, 'another fact')
  await client.query(
    `begin; ${stale} where body like '%parley%'; update message_search_progress set position = position, seal = '1:7:whole'; commit`,
  )
  await eventually('the rows are mended', async () => (await textsFound(bob, 'parley rocks')).length === 1)
})

test('of two nodes one works at a time, and when it is gone the other continues', async () => {
  const [here, there] = await openPair()
  const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  const bobThere = await bob.another(there)
  const group = await alice.group('Two nodes', bob)
  await indexed(there)
  // A third one takes the turn, and hangs.
  const stopped = await connectAs(here.databaseUrl, 'test holds the turn')
  const client = await connectAs(here.databaseUrl, 'test search')
  await stopped.query('set idle_in_transaction_session_timeout = 0')
  await stopped.query('begin')
  await stopped.query('select 1 from message_search_progress for update')
  for (let i = 0; i < 30; i += 1) await alice.send(group, `순서 ${i}`)
  const before = await readProgress(here.app.store.reader)
  for (const { app } of [here, there]) await app.indexer.catchUp()
  expect(await readProgress(here.app.store.reader)).toEqual(before)
  expect(await textsFound(bobThere, '순서')).toEqual([])
  await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test holds the turn'`)
  await indexed(there)
  expect(await textsFound(bobThere, '순서', { first: 100 })).toHaveLength(30)
  await here.close()
  alice.node = there
  await alice.send(group, '순서 마지막')
  // A node that stands by looks once a second, and takes the turn when it has seen the same work twice.
  await eventually('the one that is left goes on', async () => (await textsFound(bobThere, '순서 마지막')).length === 1, 5_000)
  expect(await row(client, 'select count(*) as rows from message_search')).toEqual({ rows: 31 })
})
