// The two kinds of tables (A1), what the lock requires of transactions (A7), and that a rare write is judged at its position
// and not before (A8).

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { createInvitation } from '../../src/account/invitations.ts'
import { suspendUser } from '../../src/account/operator-actions.ts'
import { ParleyError } from '../../src/errors.ts'
import { parseId } from '../../src/id.ts'
import * as people from '../account/documents.ts'
import { photo, processed, sendFiles, textFile, upload } from '../attachment/files.ts'
import * as groups from '../conversation/documents.ts'
import { bytes, commit, encryptedGroup, register, seal } from '../encryption/support.ts'
import {
  AddReaction,
  DeleteMessage,
  EditMessage,
  HideMessage,
  MarkRead,
  PinMessage,
  RemoveReaction,
  SaveDraft,
} from '../law/documents.ts'
import { type Device, password, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { connectAs, createGroup, createJournal, createUsers, eventually, input, request, row, sendBatch } from './setup.ts'

/** The S tables. Every other table counts as a J table: a new one must keep the rules below or be listed here. */
const sTables = [
  '_prisma_migrations',
  'acknowledgement',
  'attachment',
  'audit_entry',
  'audit_seal',
  'ban',
  'block',
  'change_consumer',
  'contact',
  'conversation',
  'departure',
  'device',
  'function_release',
  'invitation',
  'invite',
  'journal_request',
  'key_package',
  'member',
  'message_search',
  'message_search_progress',
  'push_delivery',
  'push_progress',
  'push_registration',
  'push_settings',
  'push_worker',
  'report',
  'report_message',
  'server_key',
  'session',
  'stored_file',
  'token_keys',
  'user',
  'webhook',
]
/** J tables that no traffic writes: `journal` changes by trimming, and by hand. */
const stillTables = ['journal']

async function jTables(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
       and relname <> all($1) order by relname`,
    [sTables],
  )
  return rows.map(({ name }) => name)
}

/** Makes every statement that writes a J table fail unless its backend holds the journal's lock; counts them. */
async function guardTables(client: pg.Client): Promise<string[]> {
  const tables = await jTables(client)
  await client.query(`
    create sequence guarded_writes;
    create function require_journal_lock() returns trigger language plpgsql as $$ begin
      perform nextval('guarded_writes');
      if not exists (select 1 from pg_locks where pid = pg_backend_pid() and locktype = 'advisory' and granted
          and mode = 'ExclusiveLock' and classid = 7021 and objid = 1 and objsubid = 2
          and database = (select oid from pg_database where datname = current_database())) then
        raise exception '% of % without the lock of the journal', tg_op, tg_table_name;
      end if;
      return null;
    end $$;`)
  for (const table of tables) {
    await client.query(`create trigger require_journal_lock before insert or update or delete or truncate on "${table}"
      for each statement execute function require_journal_lock()`)
  }
  return tables
}

/** Everything that users do, through the API. */
async function traffic(node: Node): Promise<void> {
  const [alice, bob, carol, dan] = await signUpAll(node, 'Alice', 'Bob', 'Carol', 'Dan')
  if (!alice || !bob || !carol || !dan) throw new Error('nobody came')
  const direct = await alice.direct(bob)
  const group = await alice.group('Everybody', bob, carol)
  const key = '11111111-2222-4333-8444-555555555555'
  for (const conversationId of [direct, group]) await Promise.all([alice, bob].map((who) => who.send(conversationId, 'hello')))
  for (let i = 0; i < 2; i += 1) await carol.send(group, 'once', key)
  expect((await carol.refused(documents.SendMessage, send(group, 'other', key))).extensions.code).toBe('IDEMPOTENCY_CONFLICT')
  expect((await dan.refused(documents.SendMessage, send(group, 'a stranger'))).extensions.code).toBe('NOT_FOUND')
  await alice.run(documents.AddMembers, { input: { conversationId: group, userIds: [dan.userId] } })
  await alice.run(documents.RemoveMember, { input: { conversationId: group, userId: bob.userId } })
  const { message } = await dan.send(group, 'now I may')
  const mention = { ...send(group, 'and you?').input, mentionedUserIds: [alice.userId], replyToId: message.id }
  await dan.run(documents.SendMessage, { input: mention })
  await dan.run(EditMessage, { input: { messageId: message.id, text: 'now I may too' } })
  await alice.run(AddReaction, { input: { messageId: message.id, emoji: '👋' } })
  await carol.run(AddReaction, { input: { messageId: message.id, emoji: '👋' } })
  await carol.run(RemoveReaction, { input: { messageId: message.id, emoji: '👋' } })
  await carol.run(MarkRead, { input: { conversationId: group, seq: 2 } })
  await dan.run(DeleteMessage, { input: { messageId: (await dan.send(group, 'gone')).message.id } })
  await alice.run(PinMessage, { input: { messageId: message.id } })
  await carol.run(SaveDraft, { input: { conversationId: group, text: 'begun' } })
  await carol.run(HideMessage, { input: { messageId: message.id } })
  const picture = await upload(alice, await photo())
  await sendFiles(alice, group, [picture, await upload(alice, textFile())])
  await processed(alice, picture)
  const gone = await sendFiles(alice, group, [await upload(alice, textFile())])
  await alice.run(DeleteMessage, { input: { messageId: gone.message.id } })
  const rules = { conversationId: group, title: 'Renamed', historyVisibility: 'SINCE_JOINING' } as const
  await alice.run(groups.UpdateConversation, { input: rules })
  await alice.run(groups.SetMemberRole, { input: { conversationId: group, userId: carol.userId, role: 'OWNER' } })
  const { createInvite } = await carol.run(groups.CreateInvite, { input: { conversationId: group, maxUses: 1 } })
  await bob.run(groups.JoinWithInvite, { input: { token: createInvite.invite.token } })
  await carol.run(groups.RevokeInvite, { input: { inviteId: createInvite.invite.id } })
  await bob.run(groups.ArchiveConversation, { input: { conversationId: group, archived: true } })
  await alice.run(documents.LeaveConversation, { input: { conversationId: group } })
  await alice.run(people.RequestContact, { input: { userId: bob.userId } })
  await bob.run(people.AcceptContact, { input: { userId: alice.userId } })
  await alice.run(people.BlockUser, { input: { userId: bob.userId } })
  await alice.run(people.UnblockUser, { input: { userId: bob.userId } })
  await carol.run(people.UpdateProfile, { input: { bio: 'Hello' } })
  await dan.run(people.DeleteAccount, { input: { password } })
  const other = await bob.another()
  await bob.run(documents.RevokeSession, { input: { sessionId: other.sessionId } })
  const deviceId = await register(carol)
  const secret = await encryptedGroup(carol, alice)
  await commit(carol, secret, 0, [{ deviceId, welcome: bytes() }])
  await seal(carol, secret, 1)
  await bob.run(documents.LogOut, {})
  await createInvitation(1, new Date(Date.now() + 60_000), node.app)
  await suspendUser(parseId('User', carol.userId, 'userId'), { reason: 'spam', until: null }, node.app)
}

function send(conversationId: string, text: string, clientMessageId = randomUUID()) {
  return { input: { conversationId, text, clientMessageId } }
}

test('A1 every write to a J table happens under the lock of the journal', async () => {
  const node = await openNode()
  const client = await connectAs(node.databaseUrl, 'test tables')
  const tables = await guardTables(client)
  expect(tables).toEqual(expect.arrayContaining(['audience', 'conversation_head', 'fact', 'journal', 'message']))
  await expect(client.query('update audience set to_position = 1')).rejects.toThrow('without the lock of the journal')
  await expect(client.query('delete from fact')).rejects.toThrow('without the lock of the journal')
  await traffic(node)
  const { writes } = await row<{ writes: number }>(client, 'select last_value as writes from guarded_writes')
  expect(writes).toBeGreaterThan(40)
  for (const table of tables.filter((name) => !stillTables.includes(name))) {
    expect((await client.query(`select 1 from "${table}" limit 1`)).rowCount, `rows of ${table}`).toBe(1)
  }
  expect(await row(client, 'select count(*) as left from journal_request')).toEqual({ left: 0 })
})

test('A1 no foreign key leads into or out of a J table, and only the numbering trigger is deferrable', async () => {
  const client = await connectAs(await createJournal(), 'test tables')
  const keys = await client.query(
    `select conname, conrelid::regclass::text as table from pg_constraint
      where contype = 'f' and (conrelid = any($1::text[]::regclass[]) or confrelid = any($1::text[]::regclass[]))`,
    [(await jTables(client)).map((name) => `"${name}"`)],
  )
  expect(keys.rows).toEqual([])
  const deferrable = await client.query(
    `select conname as name from pg_constraint where condeferrable
     union select tgname from pg_trigger where tgdeferrable
     union select indexrelid::regclass::text from pg_index where not indimmediate`,
  )
  expect(deferrable.rows).toEqual([{ name: 'journal_number' }])
  const triggers = await client.query(
    'select tgname from pg_trigger where not tgisinternal and tgrelid = any($1::text[]::regclass[])',
    [(await jTables(client)).map((name) => `"${name}"`)],
  )
  expect(triggers.rows).toEqual([])
})

test('A7 the lock refuses every isolation level but READ COMMITTED, and so do sends and rare writes', async () => {
  const client = await connectAs(await createJournal(), 'test tables')
  await createUsers(client, [100])
  await createGroup(client, 1, [100])
  const act = {
    'the lock': () => client.query('select journal_lock()'),
    'a send': () =>
      client.query(
        `select journal_send(array[1], array[100], array[gen_random_uuid()], array['\\x00'::bytea], array[''], array[null::bigint], array['{}'], array[null::text], null, null, null, null, null, null)`,
      ),
    'a rare write': async () => {
      await request(client, [{ kind: 5, conversation_id: 1, actor_id: 100, subject_id: 100 }])
      await client.query('commit')
    },
  }
  const before = await row(client, 'select count(*) as facts from fact')
  for (const level of ['repeatable read', 'serializable']) {
    for (const [what, run] of Object.entries(act)) {
      await client.query(`begin isolation level ${level}`)
      await expect(run(), `${what} in ${level}`).rejects.toMatchObject({ code: '25001' })
      await client.query('rollback')
    }
  }
  expect(await row(client, 'select count(*) as facts from fact')).toEqual(before)
  for (const run of Object.values(act)) {
    await client.query('begin isolation level read committed')
    await run()
    await client.query('commit')
  }
})

test('A7 functions that lock are VOLATILE, so that they see what is committed once they have the lock', async () => {
  const client = await connectAs(await createJournal(), 'test tables')
  const { rows } = await client.query<{ name: string; volatility: string }>(
    `select proname as name, provolatile as volatility from pg_proc
      where pronamespace = 'public'::regnamespace and proname like 'journal%' and prokind = 'f'`,
  )
  expect(rows.length).toBeGreaterThan(3)
  for (const { name, volatility } of rows) expect(volatility, name).toBe('v')
})

test('A7 a send that waited for the lock sees a removal committed meanwhile', async () => {
  const databaseUrl = await createJournal()
  const [client, other] = [await connectAs(databaseUrl, 'test tables'), await connectAs(databaseUrl, 'test tables waits')]
  await createUsers(client, [100, 101])
  await createGroup(client, 1, [100, 101])
  await client.query('begin')
  await request(client, [{ kind: 4, conversation_id: 1, actor_id: 100, subject_id: 101, audience_change: -1 }])
  await client.query('set constraints journal_number immediate') // numbered, and the lock is held until COMMIT
  const answer = sendBatch(other, [input(1, 101, 'too late')])
  await waitsForLock(client, 'test tables waits')
  await client.query('commit')
  expect((await answer).statuses).toEqual([3])
})

async function waitsForLock(client: pg.Client, applicationName: string): Promise<void> {
  const text = `select 1 from pg_stat_activity where datname = current_database() and application_name = $1
    and wait_event_type = 'Lock' and wait_event = 'advisory'`
  const isWaiting = async () => (await client.query(text, [applicationName])).rowCount === 1
  await eventually(`${applicationName} waits for the lock`, isWaiting, 1_500)
}

test('A7 a database with another default isolation level still accepts writes', async () => {
  const databaseUrl = await createJournal()
  const client = await connectAs(databaseUrl, 'test tables')
  const { name } = await row<{ name: string }>(client, 'select current_database() as name')
  await client.query(`alter database "${name}" set default_transaction_isolation = 'repeatable read'`)
  const node = await openNode({ DATABASE_URL: databaseUrl, PARLEY_LOG_LEVEL: 'silent' })
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('nobody came')
  const conversationId = await alice.direct(bob)
  expect((await alice.send(conversationId, 'hello')).message.seq).toBe(1)
})

/** A group, and a removal of its member Bob that happens when the test wants. */
async function openGroup(): Promise<{ node: Node; bob: Device; conversationId: string; remove: () => Promise<unknown> }> {
  const node = await openNode()
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('nobody came')
  const conversationId = await alice.group('The two of us', bob)
  const remove = () => alice.run(documents.RemoveMember, { input: { conversationId, userId: bob.userId } })
  return { node, bob, conversationId, remove }
}

test('A8 a rare write whose actor is removed before its COMMIT is refused and leaves nothing', async () => {
  const { node, bob, conversationId, remove } = await openGroup()
  const [client, other] = [await connectAs(node.databaseUrl, 'test tables'), await connectAs(node.databaseUrl, 'test tables too')]
  const fact = {
    kind: 5,
    conversation_id: parseId('Conversation', conversationId, ''),
    actor_id: parseId('User', bob.userId, ''),
    subject_id: 1,
  }
  const head = `select max(position) as head, (select count(*) from conversation) as conversations from fact`
  await client.query('begin')
  await client.query(`insert into conversation(kind, title) values ('GROUP', 'half done')`)
  await request(client, [fact])
  await remove()
  const before = await row(other, head)
  await expect(client.query('commit')).rejects.toMatchObject({ code: 'PY403' })
  expect(await row(client, head)).toEqual(before)
  expect(await row(client, 'select count(*) as left from journal_request')).toEqual({ left: 0 })
})

test('A8 through the node the refusal is NOT_FOUND and leaves nothing', async () => {
  const { node, bob, conversationId, remove } = await openGroup()
  const client = await connectAs(node.databaseUrl, 'test tables')
  const [conversation, actor] = [parseId('Conversation', conversationId, ''), parseId('User', bob.userId, '')]
  const writing = node.app.journal.writing(async (tx) => {
    await tx.conversation.create({ data: { kind: 'GROUP', title: 'half done' } })
    await remove()
    return { result: null, facts: [{ kind: 5, conversation_id: conversation, actor_id: actor, subject_id: actor }] }
  })
  const refusal = await writing.catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(ParleyError)
  expect(refusal).toMatchObject({ code: 'NOT_FOUND' })
  expect(await row(client, `select count(*) as left from conversation where title = 'half done'`)).toEqual({ left: 0 })
  const last = await row(client, 'select kind, subject_id from fact order by position desc limit 1')
  expect(last).toEqual({ kind: 4, subject_id: actor })
})

test('A8 one refused fact refuses the whole request; the system, without an actor, and users who join in it are not refused', async () => {
  const client = await connectAs(await createJournal(), 'test tables')
  await createUsers(client, [100, 101])
  await createGroup(client, 1, [100])
  const heads = 'select count(*) as facts, max(position) as head from fact'
  const before = await row(client, heads)
  const by = (actor: number) => ({ kind: 5, conversation_id: 1, actor_id: actor, subject_id: 1 })
  await expect(request(client, [by(100), by(101)])).rejects.toMatchObject({ code: 'PY403' })
  expect(await row(client, heads)).toEqual(before)
  await request(client, [{ kind: 5, conversation_id: 1, subject_id: 1 }])
  await request(client, [{ kind: 3, conversation_id: 1, actor_id: 101, subject_id: 101, audience_change: 1 }, by(101)])
  expect(await row(client, heads)).toEqual({ facts: 4, head: 4 })
})

test('A2 no append draws the tag 0, which means "no fact", whatever random() returns', async () => {
  const client = await connectAs(await createJournal(), 'tags')
  const { rows: appends } = await client.query<{ name: string; inputs: string[] }>(
    `select proname as name, array(select format_type(t, null) from unnest(proargtypes) t) as inputs from pg_proc
      where pronamespace = 'public'::regnamespace and prokind = 'f' and 'batch_tag' = any(proargnames)`,
  )
  expect(appends.length).toBeGreaterThan(2)
  await client.query('set search_path = public, pg_catalog')
  for (const drawn of ['0', '0.0000000001', '0.9999999999999999']) {
    await client.query(`create or replace function random() returns float8 language sql as 'select ${drawn}::float8'`)
    for (const { name, inputs } of appends) {
      const call = `select batch_tag from ${name}(${inputs.map((type) => (type.endsWith('[]') ? `'{}'::${type}` : `0::${type}`)).join()})`
      const { batch_tag: tag } = await row<{ batch_tag: number }>(client, call)
      expect(tag, `${name}, where ${drawn} is drawn`).toBeGreaterThan(0)
    }
  }
})

test('prisma/schema.prisma has the S tables with their columns', async () => {
  const text = await readFile(new URL('../../prisma/schema.prisma', import.meta.url), 'utf8')
  const models = [...text.matchAll(/^model (\w+) \{\n(.*?)^\}/gms)].map(([, name = '', body = '']) => ({ name, body }))
  const names = new Set(models.map(({ name }) => name))
  const columnsOf = (body: string) =>
    [...body.matchAll(/^ {2}(\w+) +(\w+)(.*)$/gm)]
      .filter(([, , type = '']) => !names.has(type))
      .map(([, field = '', , rest = '']) => /@map\("(\w+)"\)/.exec(rest)?.[1] ?? field)
  const described = models.map(({ body }) => [/@@map\("(\w+)"\)/.exec(body)?.[1], columnsOf(body).sort()] as const)
  const client = await connectAs((await openNode()).databaseUrl, 'test columns')
  const { rows } = await client.query<{ table: string; columns: string[] }>(
    `select table_name as "table", array_agg(column_name::text order by column_name) as columns from information_schema.columns
      where table_schema = 'public' and table_name = any($1) and is_generated = 'NEVER' group by 1`,
    [sTables.filter((table) => table !== '_prisma_migrations' && table !== 'function_release')],
  )
  expect(Object.fromEntries(described)).toEqual(Object.fromEntries(rows.map(({ table, columns }) => [table, columns.sort()])))
})
