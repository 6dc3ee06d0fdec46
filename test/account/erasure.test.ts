// What is left of a user in the database after the deletion of the account, column by column. A feature with a new column that
// holds a user must erase it, or give its reason here.

import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { setRole } from '../../src/account/operator-actions.ts'
import { parseId } from '../../src/id.ts'
import { sendFiles, textFile, upload } from '../attachment/files.ts'
import { BanMember, CreateInvite } from '../conversation/documents.ts'
import { bytes, commit, encryptedGroup, register, stock } from '../encryption/support.ts'
import { AddReaction, HideMessage, MarkRead, PinMessage, SaveDraft } from '../law/documents.ts'
import { ReportMessage, ReportUser, ResolveReport } from '../moderation/documents.ts'
import { openBackend } from '../platform/backend.ts'
import { RegisterPushToken, SendTestNotification, SetPushSettings } from '../push/documents.ts'
import { indexed } from '../search/support.ts'
import { type Device, signUp, signUpAll } from '../support/device.ts'
import { Acknowledge, LeaveConversation, SendMessage } from '../support/documents.ts'
import { connect, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { BlockUser, DeleteAccount, RequestContact } from './documents.ts'

/** The id that the deleted user gets: no row of anything else has it. */
const userId = 7_000_000_001

/** The columns that keep the id of a deleted user, and why. */
const kept: { readonly [reason: string]: readonly string[] } = {
  'the row of the user stays without a name, so that others see a deleted account': ['user.id'],
  'a node that starts reads here which tokens to refuse': ['session.user_id'],
  'a direct conversation belongs to the other user, too': [
    'conversation.direct_low',
    'conversation.direct_high',
    'member.user_id',
  ],
  'messages stay without a sender': ['message.sender_id', 'message.mentioned_user_ids', 'message_search.sender_id'],
  'what was sent stays with its message': ['attachment.owner_id', 'stored_file.uploaded_by'],
  'others see how often, and by a deleted account': ['reaction.user_id', 'pin.pinned_by'],
  'others verify with its key what a device signed': ['device.user_id'],
  'who moved an encrypted group on': ['epoch_commit.sender_id'],
  'the group keeps its invite links': ['invite.created_by'],
  'the group keeps who banned others': ['ban.banned_by'],
  'moderators decide on reports, which go after 90 days': [
    ...['report.reporter_id', 'report.resolver_id', 'report.user_id', 'report_message.sender_id'],
  ],
  'the audit log keeps ids, for ever': ['audit_entry.user_id'],
  'the journal is replayed as it was, until it is trimmed': [
    ...['fact.user_id', 'fact.actor_id', 'fact.subject_id'],
    'audience.user_id',
  ],
}

/** Columns with such a name refer to something else. */
const refersToOthers =
  /\.(id|(conversation|message|session|registration|report|reply_to|attachment|avatar|file|creator_key|key|device)_ids?|(\w+_)?position|floor|walked|number|upto|place|byte_size|made_bytes)$/

type Column = { readonly name: string; readonly table: string; readonly column: string; readonly isList: boolean }

async function readColumns(sql: pg.Client): Promise<Column[]> {
  const { rows } = await sql.query<Column>(
    `select c.relname || '.' || a.attname as name, quote_ident(c.relname) as table, quote_ident(a.attname) as column,
            a.atttypid = 'bigint[]'::regtype as "isList"
       from pg_attribute a join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
        and a.atttypid in ('bigint'::regtype, 'bigint[]'::regtype)
      order by 1`,
  )
  return rows
}

/** The columns that hold the user now. */
async function holding(sql: pg.Client, columns: readonly Column[]): Promise<string[]> {
  const found: string[] = []
  for (const { name, table, column, isList } of columns) {
    const value = isList ? `any(${column})` : column
    const { rowCount } = await sql.query(`select 1 from ${table} where $1 = ${value} limit 1`, [userId])
    if (rowCount) found.push(name)
  }
  return found
}

/** Leaves a trace of a user wherever a feature stores one. */
async function leaveTraces(user: Device, bob: Device, carol: Device, dora: Device): Promise<void> {
  const about = (other: Device) => ({ input: { userId: other.userId } })
  await user.run(RequestContact, about(bob))
  await user.run(RequestContact, about(dora))
  await user.direct(dora)
  const direct = await user.direct(bob)
  const group = await user.group('Traces', bob, carol)
  const mention = { conversationId: group, clientMessageId: randomUUID(), text: 'you', mentionedUserIds: [user.userId] }
  await bob.run(SendMessage, { input: mention })
  const { message, cursor } = await user.send(group, 'found by the search')
  await user.run(AddReaction, { input: { messageId: message.id, emoji: '🎉' } })
  await user.run(PinMessage, { input: { messageId: message.id } })
  await user.run(SaveDraft, { input: { conversationId: group, text: 'begun' } })
  await user.run(HideMessage, { input: { messageId: message.id } })
  await user.run(MarkRead, { input: { conversationId: direct, seq: 0 } })
  await user.run(MarkRead, { input: { conversationId: group, seq: 1 } })
  await user.run(Acknowledge, { input: { cursor } })
  await user.run(CreateInvite, { input: { conversationId: group } })
  await user.run(BanMember, { input: { conversationId: group, userId: carol.userId } })
  const banned = await bob.group('Banned', user)
  await bob.run(BanMember, { input: { conversationId: banned, userId: user.userId } })
  await setRole(parseId('User', user.userId, ''), 'MODERATOR', user.node.app)
  await bob.run(ReportMessage, { input: { messageId: message.id, reason: 'rude' } })
  const { reportUser } = await user.run(ReportUser, { input: { userId: bob.userId, reason: 'rude' } })
  await user.run(ResolveReport, { input: { reportId: reportUser.reportId, actions: [] } })
  const left = await bob.group('Left', user)
  await user.run(LeaveConversation, { input: { conversationId: left } })
  await sendFiles(user, group, [await upload(user, textFile())])
  const [deviceId, deviceOfBob] = [await register(user), await register(bob)]
  const secret = await encryptedGroup(user, bob)
  await commit(user, secret, 0, [{ deviceId: deviceOfBob, welcome: bytes() }])
  await commit(bob, secret, 1, [{ deviceId, welcome: bytes() }])
  await stock(user, 1)
  await user.run(RegisterPushToken, { input: { platform: 'apns', token: 'token of the phone' } })
  await user.run(SetPushSettings, { input: { level: 'NONE' } })
  await user.run(SendTestNotification, {})
  await (await openBackend(user.node, 'ACT')).run(BlockUser, about(carol), user.userId)
  await carol.run(BlockUser, about(user))
}

test('the deletion of an account erases every column that holds the user, but for those with a reason', async () => {
  const node = await openNode({
    PARLEY_PUSH_WEBHOOK_URL: 'http://127.0.0.1:9/nobody-listens',
    PARLEY_PUSH_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
  })
  const sql = await connect(node.databaseUrl)
  const [bob, carol] = (await signUpAll(node, 'Bob', 'Carol')) as [Device, Device]
  await sql.query(`select setval(pg_get_serial_sequence('"user"', 'id'), ${userId}, false)`)
  const user = await signUp(node, 'Alice')
  // Her id is higher than the user's, Bob's is lower.
  const dora = await signUp(node, 'Dora')
  await leaveTraces(user, bob, carol, dora)
  await indexed(node)
  const columns = await readColumns(sql)
  const before = new Set<string>()
  const see = async () => {
    for (const name of await holding(sql, columns)) before.add(name)
    return before.has('read_marker.user_id')
  }
  await until('what is gathered is written', see)
  expect(columns.map(({ name }) => name).filter((name) => !before.has(name) && !refersToOthers.test(name))).toEqual([])
  await user.run(DeleteAccount, { input: { password: 'correct horse battery staple' } })
  expect(await holding(sql, columns)).toEqual(Object.values(kept).flat().sort())
})
