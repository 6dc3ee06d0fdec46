// Who may do what: for each root field, and each field of the objects with an id, the answer to each kind of user. The expected
// answers are written once, in authorisation.ts. A new field without a row fails.

import { createECDH, randomBytes, randomUUID } from 'node:crypto'
import { getNamedType, isInterfaceType, isLeafType } from 'graphql'
import { beforeAll, describe, expect, test } from 'vitest'
import { suspendUser } from '../../src/account/operator-actions.ts'
import { parseId } from '../../src/id.ts'
import { schema } from '../../src/schema.ts'
import { AcceptContact, BlockUser, RequestContact } from '../account/documents.ts'
import { sendFiles, textFile, upload } from '../attachment/files.ts'
import {
  ArchiveConversation,
  CreateGroupWith,
  CreateInvite,
  MarkUnread,
  MuteConversation,
  PinConversation,
  SetMemberRole,
} from '../conversation/documents.ts'
import { register } from '../encryption/support.ts'
import { PinMessage, SaveDraft } from '../law/documents.ts'
import { deviceOf, openBackend } from '../platform/backend.ts'
import { SendSignal } from '../presence/documents.ts'
import { SetConversationPushLevel } from '../push/documents.ts'
import { indexed } from '../search/support.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember, SendMessage } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import {
  acrossTenants,
  fields,
  kinds,
  objectFields,
  ofKeys,
  openToAll,
  own,
  type Row,
  type UserKind,
  type World,
} from './authorisation.ts'

type Person = Exclude<UserKind, 'anonymous'> | 'victim' | 'target'

let node: Node
let people: Readonly<Record<Person, Device>>
/** A second session of the owner, which may be ended. */
let sessionId: string
let deviceId: string

beforeAll(async () => {
  node = await openNode()
  const names = [...kinds.filter((kind) => kind !== 'anonymous'), 'victim', 'target'] as const
  // "admin" is a reserved username.
  const devices = await signUpAll(node, ...names.map((name) => (name === 'admin' ? 'deputy' : name)))
  people = Object.fromEntries(names.map((name, i) => [name, devices[i]])) as typeof people
  const input = { userId: people.blocked.userId }
  for (const who of [people.owner, people.target]) await who.run(BlockUser, { input })
  await people.member.run(RequestContact, { input: { userId: people.owner.userId } })
  await people.owner.run(AcceptContact, { input: { userId: people.member.userId } })
  sessionId = (await people.owner.another()).sessionId
  deviceId = await register(await people.owner.another())
  await suspendUser(parseId('User', people.suspended.userId, 'userId'), { reason: null, until: null }, node.app)
})

/** A fresh group, whose history is hidden from the newcomer, with two messages of the owner and an invite. */
async function createWorld(): Promise<World> {
  const { owner, admin, member, newcomer, removed, victim } = people
  const memberIds = [admin, member, removed, victim].map(({ userId }) => userId)
  const settings = { title: 'Everybody', memberIds, historyVisibility: 'SINCE_JOINING' as const }
  const conversationId = (await owner.run(CreateGroupWith, { input: settings })).createGroup.conversation.id
  await owner.run(SetMemberRole, { input: { conversationId, userId: admin.userId, role: 'ADMIN' } })
  const file = await upload(owner, textFile())
  const old = (await sendFiles(owner, conversationId, [file], 'an old secret')).message.id
  await owner.run(PinMessage, { input: { messageId: old } })
  await owner.run(RemoveMember, { input: { conversationId, userId: removed.userId } })
  await owner.run(AddMembers, { input: { conversationId, userIds: [newcomer.userId] } })
  const reply = { conversationId, text: 'a new secret', clientMessageId: randomUUID(), replyToId: old }
  const fresh = (await owner.run(SendMessage, { input: reply })).sendMessage.message.id
  const { invite } = (await owner.run(CreateInvite, { input: { conversationId } })).createInvite
  const users = Object.fromEntries(Object.entries(people).map(([name, { userId }]) => [name, userId])) as World['users']
  return { conversationId, old, fresh, file, inviteId: invite.id, token: invite.token, users, sessionId, deviceId }
}

type Result = { data?: Record<string, unknown> | null; errors?: { extensions: { code: string } }[] }

/** Sends an operation. Of a subscription it takes the first event. */
const ask = (kind: UserKind, query: string, variables: unknown) =>
  askWith(kind === 'anonymous' ? null : people[kind].accessToken, query, variables)

async function askWith(token: string | null, query: string, variables: unknown): Promise<Result> {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
  const accept = query.startsWith('subscription') ? 'text/event-stream' : 'application/json'
  const headers = { 'content-type': 'application/json', accept, ...authorization }
  const answer = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
  if (accept === 'application/json') return (await answer.json()) as Result
  let text = ''
  for await (const part of answer.body ?? []) {
    text += Buffer.from(part).toString()
    const data = /^data: (\{.*\})$/m.exec(text)?.[1]
    if (data) return JSON.parse(data) as Result // leaving the loop ends the stream
  }
  throw new Error(`the event stream ended without an event: ${text}`)
}

const codes: Readonly<Record<string, string>> = {
  NOT_FOUND: 'N',
  FORBIDDEN: 'F',
  BAD_INPUT: 'B',
  SESSION_REVOKED: 'S',
  UNAUTHENTICATED: 'U',
}

/** The answer as a letter: see authorisation.ts. */
function letterOf({ data, errors }: Result): string {
  const [error] = errors ?? []
  if (error) return codes[error.extensions.code] ?? error.extensions.code
  let value: unknown = data
  while (typeof value === 'object' && value !== null) {
    const inner = Object.values(value)
    if (Array.isArray(value) && inner.every((one) => one === null)) return '0'
    if (inner.length !== 1) break
    value = inner[0]
  }
  return value === null ? '-' : '+'
}

/** A signal comes only when somebody sends one: another member does, until there is an answer. */
async function signalling(kind: UserKind, answer: Promise<Result>, { conversationId }: World): Promise<Result> {
  const sender = people[kind === 'owner' ? 'admin' : 'owner']
  let isOver = false
  void answer.finally(() => {
    isOver = true
  })
  await until('an answer', async () => {
    await sender.run(SendSignal, { input: { conversationId, kind: 'wave' } })
    return isOver
  })
  return answer
}

/** The fields after whose success another user's answer may be another one. */
const lasting: ReadonlySet<string> = new Set([
  ...['addMembers', 'deleteMessage', 'joinWithInvite', 'leaveConversation', 'removeMember', 'revokeInvite', 'setMemberRole'],
  'banMember',
  'unpinMessage',
])

/** The world of the last row, as long as nothing lasting has happened in it. */
let kept: World | null = null

async function answersTo({ field, document, variables }: Row): Promise<string> {
  const answers: string[] = []
  for (const kind of kinds) {
    kept ??= await createWorld()
    if (field === 'searchMessages') await indexed(node)
    const userId = kind === 'anonymous' ? '' : people[kind].userId
    const answer = ask(kind, document, variables(kept, userId, randomUUID()))
    const letter = letterOf(await (field === 'signals' ? signalling(kind, answer, kept) : answer))
    if (letter === '+' && lasting.has(field)) kept = null
    answers.push(letter)
  }
  return answers.join(' ')
}

const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]

test('each root field has its row', () => {
  const listed = [...fields.map(({ field }) => field), ...own, ...ofKeys, ...openToAll]
  expect([...new Set(listed)].toSorted()).toEqual(roots.flatMap((type) => Object.keys(type?.getFields() ?? {})).toSorted())
})

test('each field of an object with an id has its row', () => {
  const nodeInterface = schema.getType('Node')
  if (!isInterfaceType(nodeInterface)) throw new Error('there is no interface Node')
  const types = schema.getPossibleTypes(nodeInterface)
  const all = types.flatMap((type) => Object.keys(type.getFields()).map((name) => `${type.name}.${name}`))
  const listed = objectFields.flatMap(({ type, same, rows }) =>
    [...same, ...rows.map(({ field }) => field)].map((name) => `${type}.${name}`),
  )
  expect(listed.toSorted()).toEqual(all.toSorted())
})

test.each(fields)('$field $of', async (row) => expect(await answersTo(row)).toBe(row.expected))

/** The owner's settings of the group and draft in it, which nobody else may see. */
async function setUp({ conversationId }: World): Promise<void> {
  const { owner } = people
  const until = new Date(Date.now() + 3_600_000).toISOString()
  await owner.run(MuteConversation, { input: { conversationId, until } })
  await owner.run(ArchiveConversation, { input: { conversationId, archived: true } })
  await owner.run(SetConversationPushLevel, { input: { conversationId, level: 'ALL' } })
  await owner.run(PinConversation, { input: { conversationId, pinned: true } })
  await owner.run(SaveDraft, { input: { conversationId, text: 'begun' } })
  await owner.run(MarkUnread, { input: { conversationId, unread: true } })
}

test.each(objectFields.flatMap(({ type, rows }) => rows.map((row) => ({ type, ...row }))))('$type: $field', async (row) => {
  kept ??= await createWorld()
  if (row.type === 'Member' || row.field === 'draft') await setUp(kept)
  expect(await answersTo(row)).toBe(row.expected)
})

describe('to somebody of another tenant the users, groups and messages of this one do not exist', () => {
  let foreigner: Device
  beforeAll(async () => {
    foreigner = await deviceOf(await openBackend(node, 'USERS'), { externalId: 'foreigner', tenant: 'another' })
  })
  const rows = objectFields.flatMap(({ type, rows }) => rows.map((row) => ({ ...row, of: `${type} ${row.of}` })))
  test.each([...fields, ...rows])('$field $of', async (row) => {
    kept ??= await createWorld()
    const { field, of, document, expected } = row
    const nothing = acrossTenants[`${field} ${of}`] ?? expected.split(' ')[kinds.indexOf('stranger')]
    expect(['-', '0', 'N']).toContain(nothing)
    const variables = row.variables(kept, foreigner.userId, randomUUID())
    expect(letterOf(await askWith(foreigner.accessToken, document, variables))).toBe(nothing)
  })
})

/** Values for the required arguments of the fields about your own account. Nothing runs with them. */
const samples: Readonly<Record<string, unknown>> = {
  acknowledge: { cursor: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
  acknowledgeChanges: { consumer: 'x', cursor: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
  changes: 'x',
  changePassword: { currentPassword: 'x'.repeat(8), newPassword: 'x'.repeat(8) },
  changeUsername: { username: 'somebody' },
  contactRequests: 'INCOMING',
  conversationByExternalId: 'x',
  createServerKey: { name: 'x', scopes: ['ACT'] },
  completeImport: { conversationId: 'cnv_0000000000001' },
  createWebhook: { url: 'https://93.184.215.14/' },
  createUpload: { fileName: 'a.txt', contentType: 'text/plain', byteSize: 1 },
  deleteChangeConsumer: { consumer: 'x' },
  deleteWebhook: { webhookId: 'whk_0000000000001' },
  deleteUser: { userId: 'somebody' },
  heartbeat: { idle: false },
  importConversation: { externalId: 'somebody', title: 'x' },
  importMessages: {
    conversationId: 'cnv_0000000000001',
    messages: [{ externalId: 'x', text: 'x', createdAt: '2020-01-01T00:00:00Z' }],
  },
  issueSession: { userId: 'somebody' },
  registerPushSubscription: {
    endpoint: 'https://push.example.com/x',
    p256dh: createECDH('prime256v1').generateKeys().toString('base64url'),
    auth: randomBytes(16).toString('base64url'),
  },
  registerPushToken: { platform: 'fcm', token: 'x' },
  registerDevice: { name: 'x', signatureKey: 'AA==', signature: 'AA==' },
  removeMessage: { messageId: 'msg_0000000000001' },
  renewConnection: { accessToken: 'x' },
  replayWebhook: { webhookId: 'whk_0000000000001', after: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
  report: 'rpt_0000000000001',
  resolveReport: { reportId: 'rpt_0000000000001', actions: [] },
  revokeServerKey: { serverKeyId: 'key_0000000000001' },
  searchUsers: 'x',
  sendSystemMessage: { conversationId: 'cnv_0000000000001', clientMessageId: randomUUID(), text: 'x' },
  setLastActiveVisibility: { lastActiveVisibility: 'NOBODY' },
  setMessagePolicy: { messagePolicy: 'ANYONE' },
  setPresenceMode: { presenceMode: 'AUTOMATIC' },
  suspendUser: { userId: 'somebody' },
  updateWebhook: { webhookId: 'whk_0000000000001' },
  unsuspendUser: { userId: 'somebody' },
  uploadKeyPackages: { keyPackages: ['AA=='] },
  upsertConversation: { externalId: 'somebody' },
  upsertUsers: { users: [{ externalId: 'somebody' }] },
}

/** The answers of a root field to these kinds of users, with a sample of its required argument. */
async function answersWithSample(name: string, who: readonly UserKind[]): Promise<string> {
  const type = roots.find((one) => one?.getFields()[name])
  const field = type?.getFields()[name]
  if (!type || !field) throw new Error(`there is no field ${name}`)
  const given = field.args.find((one) => String(one.type).endsWith('!'))
  const [declared, passed] = given ? [`($x: ${given.type})`, `(${given.name}: $x)`] : ['', '']
  const selection = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }'
  const text = `${type.name.toLowerCase()} Own${declared} { ${name}${passed}${selection} }`
  const letters = []
  for (const kind of who) letters.push(letterOf(await ask(kind, text, { x: samples[name] ?? {} })))
  return letters.join(' ')
}

describe('fields about your own account need a session', () => {
  test.each(own)('%s', async (name) => expect(await answersWithSample(name, ['suspended', 'anonymous'])).toBe('S U'))
})

describe('fields for server keys are for nobody else', () => {
  test.each(ofKeys)('%s', async (name) => {
    expect(await answersWithSample(name, ['owner', 'stranger', 'suspended', 'anonymous'])).toBe('F F S U')
  })
})
