// The export of a person's data: everything that is theirs, with their files, and nothing of anybody else.

import { createHash } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import * as people from '../account/documents.ts'
import { sendFiles, textFile, upload } from '../attachment/files.ts'
import { AddReaction, EditMessage, HideMessage, MarkRead, SaveDraft } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { type Node, openNode } from '../support/node.ts'
import { type Backend, deviceOf, openBackend, openBackendOf } from './backend.ts'

type Line = { type: string; id?: string; [field: string]: unknown }
let node: Node
let backend: Backend
let alice: Device
let bob: Device

beforeAll(async () => {
  node = await openNode()
  backend = await openBackend(node, 'USERS')
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
})

const get = (user: string, token = backend.token, method = 'GET') =>
  fetch(new URL(`/export/users/${encodeURIComponent(user)}`, node.url), { method, headers: { authorization: `Bearer ${token}` } })
const linesOf = async (user: string): Promise<Line[]> => {
  const response = await get(user)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
  const text = await response.text()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

test('it has what a person wrote, did and keeps, with files, and nothing that others wrote', async () => {
  const group = await alice.group('Exported', bob)
  const { message } = await alice.send(group, 'my first text')
  await alice.run(EditMessage, { input: { messageId: message.id, text: 'my edited text' } })
  const { message: theirs } = await bob.send(group, 'what bob wrote')
  await alice.run(AddReaction, { input: { messageId: theirs.id, emoji: '👍' } })
  await alice.run(SaveDraft, { input: { conversationId: group, text: 'begun' } })
  await alice.run(HideMessage, { input: { messageId: theirs.id } })
  await alice.run(MarkRead, { input: { conversationId: group, seq: 2 } })
  await alice.run(people.RequestContact, { input: { userId: bob.userId } })
  await alice.run(people.BlockUser, { input: { userId: bob.userId } })
  const large = textFile('0123456789'.repeat(50_000), 'large.txt')
  const [small, big] = [await upload(alice, textFile()), await upload(alice, large)]
  await sendFiles(alice, group, [small, big], 'with files')
  await upload(bob, textFile('of bob', 'of-bob.txt'))

  const lines = await linesOf(alice.userId)
  const of = (type: string) => lines.filter((line) => line.type === type)
  expect(of('account')).toMatchObject([{ id: alice.userId, username: alice.username, messagePolicy: 'ANYONE' }])
  expect(of('session')).toHaveLength(1)
  expect(of('block')).toMatchObject([{ userId: bob.userId }])
  expect(of('membership')).toMatchObject([{ conversationId: group, kind: 'GROUP', title: 'Exported', role: 'OWNER', readSeq: 2 }])
  expect(of('message')).toMatchObject([
    { id: message.id, text: 'my edited text', versions: [{ version: 1, text: 'my first text' }] },
    { text: 'with files', attachmentIds: [small, big] },
  ])
  expect(of('reaction')).toMatchObject([{ messageId: theirs.id, emoji: '👍' }])
  expect(of('draft')).toMatchObject([{ conversationId: group, text: 'begun', savedAt: expect.any(String) }])
  expect(of('hidden')).toMatchObject([{ messageId: theirs.id, hiddenAt: expect.any(String) }])
  expect(of('file').map(({ fileName }) => fileName)).toEqual(['notes.txt', 'large.txt'])
  const pieces = of('fileContent').filter(({ id }) => id === big)
  expect(pieces.length).toBeGreaterThan(1)
  const bytes = Buffer.concat(pieces.map(({ base64 }) => Buffer.from(String(base64), 'base64')))
  const digest = (of: Buffer) => createHash('sha256').update(of).digest('hex')
  expect(digest(bytes)).toBe(digest(large.bytes))
  expect(lines.at(-1)).toEqual({ type: 'end' })
  expect(JSON.stringify(lines)).not.toMatch(/what bob wrote|of-bob|passwordHash|password_hash/)
})

test('by an external id too, and it is in the audit log', async () => {
  await deviceOf(backend, { externalId: 'ana/1 ü' })
  expect((await linesOf('ana/1 ü'))[0]).toMatchObject({ type: 'account', externalId: 'ana/1 ü' })
})

test('it is refused without a key, without the scope, for another tenant, and for nobody', async () => {
  const [acting, red] = [await openBackend(node, 'ACT'), await openBackendOf('red', node, 'USERS')]
  const refused = async (response: Promise<Response>) => {
    const { status, headers } = await response
    return [status, ((await (await response).json()) as { code: string }).code, headers.get('content-type')?.split(';')[0]]
  }
  const json = 'application/json'
  expect(await refused(get(alice.userId, acting.token))).toEqual([403, 'FORBIDDEN', json])
  expect(await refused(get(alice.userId, red.token))).toEqual([404, 'NOT_FOUND', json])
  expect(await refused(get(alice.userId, alice.accessToken))).toEqual([401, 'UNAUTHENTICATED', json])
  expect(await refused(get(alice.userId, 'plk_nonsense'))).toEqual([401, 'UNAUTHENTICATED', json])
  expect(await refused(get('nobody'))).toEqual([404, 'NOT_FOUND', json])
  expect(await refused(get('usr_00000zzzzzzzz'))).toEqual([404, 'NOT_FOUND', json])
  expect(await refused(get('x'.repeat(300)))).toEqual([400, 'BAD_INPUT', json])
  expect(await refused(get(alice.userId, backend.token, 'POST'))).toEqual([405, 'OPERATION_REFUSED', json])
  const broken = await fetch(new URL('/export/users/%E0%A4%A', node.url), {
    headers: { authorization: `Bearer ${backend.token}` },
  })
  expect(broken.status).toBe(400)
})
