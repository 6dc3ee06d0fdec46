// The audit log: what server keys change is in it before it happens: on whose behalf, and about what; nobody can change it unnoticed.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { findBrokenSeal } from '../../src/platform/audit.ts'
import { ofKeys } from '../graphql/authorisation.ts'
import * as moderation from '../moderation/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { CreateGroup, SendMessage, Viewer } from '../support/documents.ts'
import { connect, type Node, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { Backend, deviceOf, openBackend } from './backend.ts'
import * as documents from './documents.ts'

let here: Node
let there: Node
let backend: Backend
let alice: Device
let sql: Awaited<ReturnType<typeof connect>>

beforeAll(async () => {
  ;[here, there] = await openPair({ PARLEY_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' })
  sql = await connect(here.databaseUrl)
  backend = await openBackend(here, 'USERS', 'SEND', 'ACT', 'MODERATE', 'KEYS', 'READ', 'CHANGES', 'WEBHOOKS', 'IMPORT')
  alice = (await signUpAll(here, 'Alice'))[0] as Device
})

type Entry = { action: string; actor: string; keyId: number; userId: number | null; subjects: string[] }
const entries = async (): Promise<Entry[]> =>
  (
    await sql.query(
      `select action, actor, key_id::int as "keyId", user_id::int as "userId", subjects from audit_entry order by id`,
    )
  ).rows

test('what a key does on behalf of a user is recorded, with what it names, and reads are not', async () => {
  const before = (await entries()).length
  await backend.run(Viewer, {}, alice.userId)
  const { createGroup } = await backend.run(CreateGroup, { input: { title: 'Secret title', memberIds: [] } }, alice.userId)
  const conversationId = createGroup.conversation.id
  const input = {
    conversationId,
    text: 'a secret text',
    clientMessageId: randomUUID(),
    data: { id: 'usr_0000000000001', deep: [[[[['cnv_0000000000001']]]]] },
  }
  await new Backend(there, backend.token, 0).run(SendMessage, { input }, alice.userId)
  const [user] = (await sql.query('select id::int from "user" where username = $1', [alice.username])).rows
  expect((await entries()).slice(before)).toEqual([
    { action: 'createGroup', actor: 'KEY', keyId: backend.keyId, userId: user.id, subjects: [] },
    {
      action: 'sendMessage',
      actor: 'KEY',
      keyId: backend.keyId,
      userId: user.id,
      subjects: [conversationId, 'usr_0000000000001'],
    },
  ])
  expect(JSON.stringify((await sql.query('select * from audit_entry')).rows)).not.toMatch(/secret/i)
})

test('each mutation for server keys is recorded, with the ids of what it is about', async () => {
  const bob = await deviceOf(backend, { externalId: 'bob' })
  const before = (await entries()).length
  const { createServerKey: made } = await backend.run(documents.CreateServerKey, { input: { name: 'x', scopes: ['USERS'] } })
  await backend.run(documents.RevokeServerKey, { input: { serverKeyId: made.serverKey.id } })
  await backend.run(documents.UpsertUsers, { input: { users: [{ externalId: 'bob' }] } })
  await backend.run(documents.IssueSession, { input: { userId: 'bob' } })
  const group = { externalId: 'group', title: 'Group', memberIds: ['bob'] }
  const { conversation } = (await backend.run(documents.UpsertConversation, { input: group })).upsertConversation
  const message = { conversationId: conversation.id, text: 'x', clientMessageId: randomUUID() }
  await backend.run(documents.SendSystemMessage, { input: message })
  await backend.run(documents.SuspendUser, { input: { userId: 'bob' } })
  await backend.run(documents.UnsuspendUser, { input: { userId: bob.userId } })
  const removed = (await alice.send(await alice.group('Order'), 'x')).message
  await backend.run(moderation.RemoveMessage, { input: { messageId: removed.id } })
  const { reportUser } = await alice.run(moderation.ReportUser, { input: { userId: bob.userId, reason: 'x' } })
  const { reportId } = reportUser
  await backend.run(moderation.ResolveReport, { input: { reportId, actions: [] } })
  await backend.run(documents.DeleteUser, { input: { userId: 'bob' } })
  await backend.refused(documents.DeleteChangeConsumer, { input: { consumer: 'none' } })
  const { webhook } = (await backend.run(documents.CreateWebhook, { input: { url: 'http://127.0.0.1:9/' } })).createWebhook
  const webhookId = webhook.id
  await backend.run(documents.UpdateWebhook, { input: { webhookId, paused: true } })
  await backend.run(documents.ReplayWebhook, { input: { webhookId, after: webhook.cursor } })
  await backend.run(documents.DeleteWebhook, { input: { webhookId } })
  const old = { externalId: 'old', title: 'Old' }
  const conversationId = (await backend.run(documents.ImportConversation, { input: old })).importConversation.conversation.id
  const imported = { externalId: 'one', text: 'x', createdAt: '2020-01-01T00:00:00Z' }
  await backend.run(documents.ImportMessages, { input: { conversationId, messages: [imported] } })
  await backend.run(documents.CompleteImport, { input: { conversationId, members: [] } })
  const recorded = (await entries()).slice(before).map(({ action, subjects, userId }) => [action, subjects, userId])
  expect(recorded).toEqual([
    ['createServerKey', [made.serverKey.id], null],
    ['revokeServerKey', [made.serverKey.id], null],
    ['upsertUsers', [bob.userId], null],
    ['issueSession', [bob.userId], null],
    ['upsertConversation', [conversation.id], null],
    ['sendSystemMessage', [conversation.id], null],
    ['suspendUser', [bob.userId], null],
    ['unsuspendUser', [bob.userId], null],
    ['removeMessage', [removed.id], null],
    ['resolveReport', [reportId, bob.userId], null],
    ['deleteUser', [bob.userId], null],
    ['deleteChangeConsumer', [], null],
    ['createWebhook', [webhookId], null],
    ['updateWebhook', [webhookId], null],
    ['replayWebhook', [webhookId], null],
    ['deleteWebhook', [webhookId], null],
    ['importConversation', [conversationId], null],
    ['importMessages', [conversationId], null],
    ['completeImport', [conversationId], null],
  ])
  // What reads, or keeps the books of the reader.
  const others = [
    'acknowledgeChanges',
    'auditLog',
    'changeConsumers',
    'changes',
    'conversationByExternalId',
    'report',
    'reports',
    'serverKeys',
    'users',
    'webhooks',
  ]
  expect([...recorded.map(([action]) => action), ...others].toSorted()).toEqual([...ofKeys].toSorted())
})

test('a change that cannot be recorded is not made', async () => {
  await sql.query('alter table audit_entry rename to audit_away')
  const input = { input: { title: 'Not made', memberIds: [] } }
  const codes = [
    (await backend.refused(CreateGroup, input, alice.userId)).extensions.code,
    (await backend.refused(documents.SuspendUser, { input: { userId: alice.userId } })).extensions.code,
  ]
  await sql.query('alter table audit_away rename to audit_entry')
  expect(codes).toEqual(['INTERNAL', 'INTERNAL'])
  expect((await sql.query("select 1 from conversation where title = 'Not made'")).rows).toEqual([])
  expect((await alice.run(Viewer, {})).viewer.id).toBe(alice.userId)
})

test('a key with READ acts for users without changing anything, and lists them', async () => {
  const reading = await openBackend(here, 'READ')
  expect((await reading.run(Viewer, {}, alice.userId)).viewer.id).toBe(alice.userId)
  expect((await reading.refused(CreateGroup, { input: { title: 'x', memberIds: [] } }, alice.userId)).extensions.code).toBe(
    'FORBIDDEN',
  )
  expect((await reading.refused(documents.UpsertUsers, { input: { users: [{ externalId: 'x' }] } })).extensions.code).toBe(
    'FORBIDDEN',
  )
  expect((await reading.run(documents.Users, { query: alice.username })).users.nodes).toHaveLength(1)
})

test('entries are sealed within seconds, and nobody can change or remove one', async () => {
  const unsealed = async () => {
    const { rows } = await sql.query(
      'select count(*) as left from audit_entry where id > (select coalesce(max(upto), 0) from audit_seal)',
    )
    return Number(rows[0].left)
  }
  await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      new Backend(i % 2 ? here : there, backend.token, 0).run(
        CreateGroup,
        { input: { title: 'x', memberIds: [] } },
        alice.userId,
      ),
    ),
  )
  await until('the seal', async () => (await unsealed()) === 0)
  await backend.run(CreateGroup, { input: { title: 'x', memberIds: [] } }, alice.userId)
  await until('another seal', async () => (await unsealed()) === 0)
  expect(await findBrokenSeal(here.app.store.reader)).toBeNull()
  for (const statement of ["update audit_entry set action = 'x'", 'delete from audit_entry', 'truncate audit_seal']) {
    await expect(sql.query(statement)).rejects.toMatchObject({ code: 'PY405' })
  }
})

// Each fault is undone before the next.
test.each([
  ['changed', "update audit_entry set action = 'other' where id = (select min(id) from audit_entry)"],
  ['removed', 'delete from audit_entry where id = (select max(id) from audit_entry)'],
  ['moved to another user', 'update audit_entry set user_id = 99 where id = (select min(id) from audit_entry)'],
  ['all removed', 'delete from audit_entry'],
  ['without a seal of theirs', 'delete from audit_seal where number = 1'],
])('entries that somebody with all rights has %s are found', async (_what, statement) => {
  await sql.query('begin; set local session_replication_role = replica')
  await sql.query(statement)
  const reader = { rows: async (of: { text: string }, values: unknown[]) => (await sql.query(of.text, values)).rows }
  expect(await findBrokenSeal(reader as never)).not.toBeNull()
  await sql.query('rollback')
  expect(await findBrokenSeal(here.app.store.reader)).toBeNull()
})
