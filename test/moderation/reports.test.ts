// Reports: what they copy, who sees them, what moderators decide, and that each look and each decision is in the audit log.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { setRole } from '../../src/account/operator-actions.ts'
import { parseId } from '../../src/id.ts'
import { keptDays } from '../../src/moderation/row.ts'
import { findBrokenSeal } from '../../src/platform/audit.ts'
import { photo, upload } from '../attachment/files.ts'
import { UpdateConversation } from '../conversation/documents.ts'
import { encryptedGroup, register, seal } from '../encryption/support.ts'
import { DeleteMessage, EditMessage } from '../law/documents.ts'
import { openBackend } from '../platform/backend.ts'
import { SuspendUser, UnsuspendUser } from '../platform/documents.ts'
import { type Device, password, request, signUpAll } from '../support/device.ts'
import { AddMembers, LogIn, RemoveMember, SendMessage, Viewer } from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import * as documents from './documents.ts'

let here: Node
let there: Node
let ann: Device
let ben: Device
let cai: Device
let moderator: Device
let admin: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[ann, ben, cai, moderator, admin] = (await signUpAll(here, 'Ann', 'Ben', 'Cai', 'Molly', 'Adam')) as [
    Device,
    Device,
    Device,
    Device,
    Device,
  ]
  await setRole(idOf(moderator), 'MODERATOR', here.app)
  await setRole(idOf(admin), 'ADMIN', here.app)
})

const idOf = ({ userId }: Device) => parseId('User', userId, '')
const report = async (by: Device, messageId: string, reason = 'rude') =>
  (await by.run(documents.ReportMessage, { input: { messageId, reason } })).reportMessage.reportId
const read = async (by: Device, id: string) => (await by.run(documents.ReportWithMessages, { id })).report
const textOf = async (by: Device, id: string) => (await by.run(documents.MessageById, { id })).node
const trail = async (subject: string) =>
  (await admin.run(documents.AuditLog, { subject, last: 100 })).auditLog.nodes?.map((entry) => [
    entry?.actor,
    entry?.userId,
    entry?.action,
  ])

test('a report copies the message and five on each side that the reporter sees, whatever happens to them later', async () => {
  const group = await ann.group('Talk', ben)
  const ids: string[] = []
  for (let i = 1; i <= 15; i += 1) ids.push((await (i === 8 ? ben : ann).send(group, `text ${i}`)).message.id)
  const reportId = await report(ann, ids[7] ?? '')
  await ben.run(EditMessage, { input: { messageId: ids[7] ?? '', text: 'harmless' } })
  await ben.run(DeleteMessage, { input: { messageId: ids[7] ?? '' } })
  await ann.run(DeleteMessage, { input: { messageId: ids[2] ?? '' } })
  const found = await read(moderator, reportId)
  expect(found.messages.map(({ text, isReported }) => [text, isReported])).toEqual(
    Array.from({ length: 11 }, (_, i) => [`text ${i + 3}`, i === 5]),
  )
  expect(found).toMatchObject({ reason: 'rude', reporter: { id: ann.userId }, user: { id: ben.userId }, resolvedAt: null })
})

test('a report of a newcomer has no message from before they joined', async () => {
  const group = await ann.group('Since joining', ben)
  await ann.run(UpdateConversation, { input: { conversationId: group, historyVisibility: 'SINCE_JOINING' } })
  await ann.send(group, 'a secret')
  await ann.run(AddMembers, { input: { conversationId: group, userIds: [cai.userId] } })
  const { message } = await ben.send(group, 'rude')
  const { messages } = await read(moderator, await report(cai, message.id))
  expect(messages.map(({ text }) => text)).toEqual(['rude'])
})

test('a report of an encrypted message has the texts that the device of its reporter tells, as a claim', async () => {
  for (const device of [ann, ben, cai]) await register(device)
  const [group, plain] = [await encryptedGroup(ben, ann), await ann.group('Plain', ben)]
  const ids: string[] = []
  for (let i = 0; i < 3; i += 1) ids.push((await seal(ben, group, 0)).message.id)
  const [first = '', second = '', third = ''] = ids
  await ben.run(DeleteMessage, { input: { messageId: third } })
  const { message: other } = await ben.send(plain, 'not encrypted')
  const texts = [first, second, third, other.id].map((messageId, i) => ({ messageId, text: `claim ${i}` }))
  const input = { messageId: second, reason: 'rude', texts }
  const { reportId } = (await ann.run(documents.ReportMessage, { input })).reportMessage
  const { messages } = await read(moderator, reportId)
  expect(messages.map(({ text, claimedText }) => [text, claimedText])).toEqual([
    ['', 'claim 0'],
    ['', 'claim 1'],
    ['', null],
  ])
  const inPlain = await ann.run(documents.ReportMessage, { input: { messageId: other.id, reason: 'rude', texts } })
  const copies = (await read(moderator, inPlain.reportMessage.reportId)).messages
  expect(copies.map(({ text, claimedText }) => [text, claimedText])).toEqual([['not encrypted', null]])
  const many = Array.from({ length: 12 }, () => ({ messageId: first, text: 'x' }))
  for (const wrong of [many, [{ messageId: 'x', text: 'x' }], [{ messageId: first, text: 'x'.repeat(10_001) }]]) {
    const refused = await ann.refused(documents.ReportMessage, { input: { ...input, texts: wrong } })
    expect(refused.extensions).toMatchObject({ code: 'BAD_INPUT', argument: expect.stringMatching(/^input\.texts/) })
  }
  expect((await cai.refused(documents.ReportMessage, { input })).extensions.code).toBe('NOT_FOUND')
})

test('a moderator sees a reported picture while its message exists', async () => {
  const group = await ann.group('Pictures', ben)
  const attachmentId = await upload(ben, await photo('bad.jpg'))
  const input = { conversationId: group, text: '', clientMessageId: randomUUID(), attachmentIds: [attachmentId] }
  const messageId = (await ben.run(SendMessage, { input })).sendMessage.message.id
  const reportId = await report(ann, messageId)
  const [shown] = (await read(moderator, reportId)).messages
  expect(shown?.attachments).toMatchObject([{ id: attachmentId, fileName: 'bad.jpg' }])
  await ben.run(DeleteMessage, { input: { messageId } })
  await until('the file to go', async () => (await read(moderator, reportId)).messages[0]?.attachments.length === 0)
})

test('D6 only what the reporter sees can be reported, and only moderators see reports', async () => {
  const group = await ann.group('Private', ben)
  const { message } = await ben.send(group, 'rude')
  const input = { messageId: message.id, reason: 'x' }
  expect((await cai.refused(documents.ReportMessage, { input })).extensions.code).toBe('NOT_FOUND')
  expect((await ben.refused(documents.ReportMessage, { input })).extensions).toMatchObject({
    code: 'BAD_INPUT',
    argument: 'input.messageId',
  })
  expect((await ann.refused(documents.ReportMessage, { input: { ...input, reason: ' ' } })).extensions.code).toBe('BAD_INPUT')
  const id = await report(ann, message.id)
  for (const device of [ann, ben, cai]) {
    expect((await device.refused(documents.Reports, {})).extensions.code).toBe('FORBIDDEN')
    expect((await device.refused(documents.ReportWithMessages, { id })).extensions.code).toBe('FORBIDDEN')
    expect((await device.refused(documents.ResolveReport, { input: { reportId: id, actions: [] } })).extensions.code).toBe(
      'FORBIDDEN',
    )
    expect((await device.refused(documents.RemoveMessage, { input: { messageId: message.id } })).extensions.code).toBe(
      'FORBIDDEN',
    )
    expect((await device.refused(documents.AuditLog, {})).extensions.code).toBe('FORBIDDEN')
  }
  expect((await moderator.refused(documents.AuditLog, {})).extensions.code).toBe('FORBIDDEN')
  expect((await moderator.refused(documents.RemoveMessage, { input: { messageId: message.id } })).extensions.code).toBe(
    'FORBIDDEN',
  )
  // A moderator sees the copies, and nothing of the conversation itself.
  expect(await textOf(moderator, message.id)).toBeNull()
  expect(await textOf(moderator, group)).toBeNull()
  const roles = await Promise.all([ann, moderator, admin].map((device) => device.run(documents.ViewerRole, {})))
  expect(roles.map(({ viewerRole }) => viewerRole)).toEqual(['USER', 'MODERATOR', 'ADMIN'])
})

test('a report is one while it is open, however many arrive at once, and a new one afterwards', async () => {
  const group = await ann.group('Once', ben)
  const { message } = await ben.send(group, 'rude')
  const again = await ann.another(there)
  const ids = await Promise.all(Array.from({ length: 8 }, (_, i) => report(i % 2 ? ann : again, message.id)))
  expect(new Set(ids).size).toBe(1)
  const reportId = ids[0] ?? ''
  const dismissed = await moderator.run(documents.ResolveReport, { input: { reportId, actions: [], note: 'not rude' } })
  expect(dismissed.resolveReport.report).toMatchObject({ actions: [], note: 'not rude', resolvedBy: { id: moderator.userId } })
  expect((await admin.refused(documents.ResolveReport, { input: { reportId, actions: [] } })).extensions.code).toBe(
    'VERSION_CONFLICT',
  )
  expect(await textOf(ben, message.id)).toMatchObject({ text: 'rude', deletedAt: null })
  expect(await report(ann, message.id)).not.toBe(reportId)
})

test('reportUser puts a user into the queue, without messages; the queue has pages, the oldest first', async () => {
  const input = { userId: cai.userId, reason: 'pretends to be me' }
  const { reportId } = (await ann.run(documents.ReportUser, { input })).reportUser
  expect((await ann.run(documents.ReportUser, { input })).reportUser.reportId).toBe(reportId)
  expect((await ann.refused(documents.ReportUser, { input: { ...input, userId: ann.userId } })).extensions.code).toBe('BAD_INPUT')
  const found = await read(moderator, reportId)
  expect(found).toMatchObject({ user: { id: cai.userId }, messageId: null, conversationId: null, messages: [] })
  const page = await moderator.run(documents.Reports, { first: 1 })
  const rest = await moderator.run(documents.Reports, { first: 100, after: page.reports.pageInfo.endCursor })
  const ids = [...(page.reports.nodes ?? []), ...(rest.reports.nodes ?? [])].map((each) => each?.id ?? '')
  expect(ids).toEqual(ids.toSorted())
  expect(ids).toContain(reportId)
  const refused = await moderator.refused(documents.ResolveReport, { input: { reportId, actions: ['REMOVE_MESSAGE'] } })
  expect(refused.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.actions' })
  await moderator.run(documents.ResolveReport, { input: { reportId, actions: [] } })
  const resolved = await moderator.run(documents.Reports, { isResolved: true, first: 100 })
  expect(resolved.reports.nodes?.map((each) => each?.id)).toContain(reportId)
})

test('D3 a message that a moderator removes is deleted for everyone, on every device, also for those who were away', async () => {
  const group = await ann.group('Removal', ben)
  const { message } = await ben.send(group, 'rude')
  const log = await ann.events().live()
  const away = await ben.events().live()
  const { cursor } = away
  away.cut()
  const reportId = await report(ann, message.id)
  await moderator.run(documents.ResolveReport, { input: { reportId, actions: ['REMOVE_MESSAGE'] } })
  expect(await log.first('MessageDeleted')).toMatchObject({ message: { id: message.id } })
  const back = await ben.events({ after: cursor }).live()
  expect(await back.first('MessageDeleted')).toMatchObject({ message: { id: message.id } })
  expect(await textOf(ben, message.id)).toMatchObject({ text: '', deletedAt: expect.any(String) })
  log.stop()
  back.stop()
})

test('the story of a suspended user: sockets close on every node, and the appeal finds the trail', async () => {
  const [dee] = (await signUpAll(here, 'Dee')) as [Device]
  const elsewhere = await dee.another(there)
  const group = await ann.group('Story', dee)
  const { message } = await dee.send(group, 'an insult')
  const logs = [await dee.events().live(), await elsewhere.events().live()]
  const reportId = await report(ann, message.id, 'an insult')
  expect((await read(moderator, reportId)).messages.map(({ text }) => text)).toEqual(['an insult'])

  const decision = { actions: ['REMOVE_MESSAGE', 'SUSPEND_USER'] as const, suspensionReason: 'insults', note: 'second time' }
  const { resolveReport } = await moderator.run(documents.ResolveReport, {
    input: { ...decision, actions: [...decision.actions], reportId },
  })
  expect(resolveReport.report).toMatchObject({ actions: ['REMOVE_MESSAGE', 'SUSPEND_USER'], note: 'second time' })
  for (const log of logs) expect(await log.ending()).toMatchObject({ code: 4603 })
  const logIn = { input: { username: dee.username, password, deviceName: 'x' } }
  const { errors } = await request(there.url, LogIn, logIn)
  expect(errors[0]).toMatchObject({ message: 'This account is suspended: insults', extensions: { code: 'ACCOUNT_SUSPENDED' } })

  // The appeal: an administrator finds who looked, who decided, and why; and lifts the suspension.
  expect(await trail(dee.userId)).toEqual([
    ['USER', moderator.userId, 'readReport'],
    ['USER', moderator.userId, 'resolveReport'],
    ['USER', moderator.userId, 'suspendUser'],
  ])
  expect(await trail(message.id)).toEqual([
    ['USER', moderator.userId, 'readReport'],
    ['USER', moderator.userId, 'resolveReport'],
    ['USER', moderator.userId, 'removeMessage'],
  ])
  expect(await read(admin, reportId)).toMatchObject({ note: 'second time', resolvedBy: { id: moderator.userId } })
  await admin.run(UnsuspendUser, { input: { userId: dee.userId } })
  const again = await dee.another(there)
  expect((await again.run(Viewer, {})).viewer.id).toBe(dee.userId)
  expect(await findBrokenSeal(here.app.store.reader)).toBeNull()
})

test('a moderator acts against users alone, an administrator against moderators too, a key against all of its tenant', async () => {
  const [other] = (await signUpAll(here, 'Other')) as [Device]
  await setRole(idOf(other), 'MODERATOR', here.app)
  const suspend = (userId: string) => ({ input: { userId } })
  for (const { userId } of [other, admin, moderator]) {
    expect((await moderator.refused(SuspendUser, suspend(userId))).extensions.code).toBe('FORBIDDEN')
  }
  const { reportId } = (await ann.run(documents.ReportUser, { input: { userId: admin.userId, reason: 'x' } })).reportUser
  const input = { reportId, actions: ['SUSPEND_USER' as const] }
  expect((await moderator.refused(documents.ResolveReport, { input })).extensions.code).toBe('FORBIDDEN')
  await admin.run(SuspendUser, suspend(other.userId))
  expect((await other.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
  const backend = await openBackend(there, 'MODERATE')
  await backend.run(documents.ResolveReport, { input: { reportId, actions: [] } })
  const reading = await openBackend(there, 'READ', 'ACT')
  expect((await reading.refused(documents.Reports, {})).extensions.code).toBe('FORBIDDEN')
  expect((await reading.refused(documents.Reports, {}, moderator.userId)).extensions.code).toBe('FORBIDDEN')
})

test('removeMessage by order needs no report, and shows nothing', async () => {
  const group = await ann.group('Order', ben)
  const { message } = await ben.send(group, 'illegal')
  const backend = await openBackend(here, 'MODERATE')
  const input = { messageId: message.id }
  expect((await backend.run(documents.RemoveMessage, { input })).removeMessage).toEqual({ messageId: message.id })
  await admin.run(documents.RemoveMessage, { input })
  expect(await textOf(ann, message.id)).toMatchObject({ text: '', deletedAt: expect.any(String) })
  expect((await admin.refused(documents.RemoveMessage, { input: { messageId: 'msg_0000000zzzzzz' } })).extensions.code).toBe(
    'NOT_FOUND',
  )
  expect((await trail(message.id))?.map(([actor, , action]) => [actor, action])).toEqual([
    ['KEY', 'removeMessage'],
    ['USER', 'removeMessage'],
  ])
})

test('a look that cannot be recorded is not answered', async () => {
  const group = await ann.group('Unrecorded', ben)
  const { message } = await ben.send(group, 'rude')
  const id = await report(ann, message.id)
  const { prisma } = here.app.store
  await prisma.$executeRawUnsafe('alter table audit_entry rename to audit_away')
  const { data, errors } = await request(here.url, documents.ReportWithMessages, { id }, moderator.accessToken)
  await prisma.$executeRawUnsafe('alter table audit_away rename to audit_entry')
  expect([JSON.stringify(data), errors[0]?.extensions.code]).toEqual(['null', 'INTERNAL'])
})

test('a removed member cannot report what they no longer see', async () => {
  const group = await ann.group('Removed', ben, cai)
  const { message } = await ben.send(group, 'rude')
  await ann.run(RemoveMember, { input: { conversationId: group, userId: cai.userId } })
  const input = { messageId: message.id, reason: 'x' }
  expect((await cai.refused(documents.ReportMessage, { input })).extensions.code).toBe('NOT_FOUND')
})

test('a report is removed with its copies after 90 days', async () => {
  const group = await ann.group('Long ago', ben)
  const [old, recent] = [await ben.send(group, 'long ago'), await ben.send(group, 'lately')]
  const [oldId, recentId] = [await report(ann, old.message.id), await report(ann, recent.message.id)]
  const age = async (id: string, days: number) =>
    here.app.store.prisma.report.update({
      where: { id: parseId('Report', id, '') },
      data: { createdAt: new Date(Date.now() - days * 86_400_000) },
    })
  await age(oldId, keptDays + 1)
  await age(recentId, keptDays - 1)
  // A node that starts sweeps.
  await openNode({ DATABASE_URL: here.databaseUrl })
  await until('the old report to go', async () => {
    const { errors } = await request(here.url, documents.ReportWithMessages, { id: oldId }, moderator.accessToken)
    return errors[0]?.extensions.code === 'NOT_FOUND'
  })
  expect(await here.app.store.prisma.reportMessage.count({ where: { reportId: parseId('Report', oldId, '') } })).toBe(0)
  expect((await read(moderator, recentId)).messages).toHaveLength(2)
})
