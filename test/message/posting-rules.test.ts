// Slow mode and announcements: whom they hold back, on every node, and that a repeat passes.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { PostingRules, SetMemberRole, UpdateConversation } from '../conversation/documents.ts'
import { EditMessage } from '../law/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { SendMessage } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'

let here: Node
let there: Node
let ann: Device
let ben: Device
let cai: Device
let sql: Awaited<ReturnType<typeof connect>>

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[ann, ben, cai] = (await signUpAll(here, 'Ann', 'Ben', 'Cai')) as [Device, Device, Device]
  sql = await connect(here.databaseUrl)
})

const change = (by: Device, conversationId: string, rules: object) =>
  by.run(UpdateConversation, { input: { conversationId, ...rules } })
const attempt = async (by: Device, conversationId: string, clientMessageId: string = randomUUID(), at: Node = here) => {
  const { data, errors } = await request(
    at.url,
    SendMessage,
    { input: { conversationId, text: 'x', clientMessageId } },
    by.accessToken,
  )
  return { id: data?.sendMessage.message.id, code: errors[0]?.extensions.code, waitMs: errors[0]?.extensions.retryAfterMs }
}
/** Lets time pass for the members of all groups in slow mode. */
const pass = (seconds: number) =>
  sql.query(`update audience set slow_sent_at = slow_sent_at - make_interval(secs => $1)`, [seconds])

test('slow mode holds back members, not the owner and admins, by the clock of Postgres on every node', async () => {
  const group = await ann.group('Slow', ben, cai)
  await ann.run(SetMemberRole, { input: { conversationId: group, userId: cai.userId, role: 'ADMIN' } })
  await change(ann, group, { slowModeS: 60 })
  const key = randomUUID()
  const first = await attempt(ben, group, key)
  expect(first.id).toBeDefined()
  for (const node of [here, there]) {
    const { code, waitMs } = await attempt(ben, group, randomUUID(), node)
    expect(code).toBe('RATE_LIMITED')
    expect(waitMs).toBeGreaterThan(30_000)
    expect(waitMs).toBeLessThanOrEqual(60_000)
    // A repeat is the first message, and costs no time.
    expect(await attempt(ben, group, key, node)).toMatchObject({ id: first.id })
  }
  for (const by of [ann, cai, ann, cai]) expect((await attempt(by, group)).code).toBeUndefined()
  await pass(59)
  expect((await attempt(ben, group)).waitMs).toBeLessThanOrEqual(1_000)
  await pass(1)
  expect((await attempt(ben, group, randomUUID(), there)).code).toBeUndefined()
  expect((await attempt(ben, group)).code).toBe('RATE_LIMITED')
  await change(ann, group, { slowModeS: 0 })
  expect((await attempt(ben, group)).code).toBeUndefined()
})

test('D2 of many messages at once in slow mode one is sent, and copies of one are one', async () => {
  const group = await ann.group('Burst', ben)
  await change(ann, group, { slowModeS: 600 })
  await sql.query('select 1')
  const copies = randomUUID()
  const keys = [copies, copies, copies, ...Array.from({ length: 9 }, () => randomUUID())]
  const answers = await Promise.all(keys.map((key, i) => attempt(ben, group, key, i % 2 ? here : there)))
  const sent = new Set(answers.flatMap(({ id }) => id ?? []))
  expect(sent.size).toBe(1)
  expect(answers.filter(({ id }) => id === undefined).every(({ code }) => code === 'RATE_LIMITED')).toBe(true)
})

test('announcements only: members may read, react and edit, and the node that changed it obeys at once', async () => {
  const group = await ann.group('News', ben, cai)
  await ann.run(SetMemberRole, { input: { conversationId: group, userId: cai.userId, role: 'ADMIN' } })
  const key = randomUUID()
  const { id = '' } = await attempt(ben, group, key)
  await change(ann, group, { announcementsOnly: true })
  expect((await attempt(ben, group)).code).toBe('FORBIDDEN')
  expect((await attempt(cai, group)).code).toBeUndefined()
  expect(await attempt(ben, group, key)).toMatchObject({ id })
  await ben.run(EditMessage, { input: { messageId: id, text: 'corrected' } })
  const rules = async (device: Device) => (await device.run(PostingRules, { id: group })).conversation
  expect(await rules(ben)).toEqual({ slowModeS: 0, announcementsOnly: true, viewerCanSend: false, viewerCanAnnounce: false })
  expect(await rules(cai)).toEqual({ slowModeS: 0, announcementsOnly: true, viewerCanSend: true, viewerCanAnnounce: true })
  await change(cai, group, { announcementsOnly: false })
  expect((await attempt(ben, group)).code).toBeUndefined()
})

test('another node obeys once it has seen the change, and a node that starts later knows the rules', async () => {
  const group = await ann.group('Elsewhere', ben)
  const watching = await (await ben.another(there)).events().live()
  await change(ann, group, { announcementsOnly: true })
  await watching.first('ConversationUpdated')
  expect((await attempt(ben, group, randomUUID(), there)).code).toBe('FORBIDDEN')
  const late = await openNode({ DATABASE_URL: here.databaseUrl })
  expect((await attempt(ben, group, randomUUID(), late)).code).toBe('FORBIDDEN')
  expect((await attempt(cai, group, randomUUID(), late)).code).toBe('NOT_FOUND')
  watching.stop()
})

test('D6 only the owner and admins may set the rules, within their limits', async () => {
  const group = await ann.group('Rules', ben)
  const set = (slowModeS: number) => ({ input: { conversationId: group, slowModeS } })
  expect((await ben.refused(UpdateConversation, set(10))).extensions.code).toBe('FORBIDDEN')
  expect((await cai.refused(UpdateConversation, set(10))).extensions.code).toBe('NOT_FOUND')
  for (const wrong of [-1, 21_601]) {
    expect((await ann.refused(UpdateConversation, set(wrong))).extensions).toMatchObject({
      code: 'BAD_INPUT',
      argument: 'input.slowModeS',
    })
  }
  expect((await ann.run(UpdateConversation, set(21_600))).updateConversation.cursor).not.toBeNull()
  expect((await ann.run(UpdateConversation, set(21_600))).updateConversation.cursor).toBeNull()
})
